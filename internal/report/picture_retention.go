package report

import (
	"slices"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// retentionPicture shows what was kept of each task, the first on top; of very many, of those that lost and kept most.
func (r *Report) retentionPicture() (Picture, bool, error) {
	p := newPicture("retention", "Retention by task", "% of the dense model", "")
	var all []float64
	var of []*Task
	for i := range slices.Backward(r.Tasks) {
		if t := &r.Tasks[i]; t.Change != nil && drawable(float64(t.Retention)) {
			all = append(all, 100*float64(t.Retention))
			of = append(of, t)
		}
	}
	if len(all) == 0 {
		return p, false, nil
	}
	var values plotter.Values
	var names []string
	var shown []*Task
	right := 100.0
	for _, i := range ends(all, mostTasks) {
		name := caption(of[i].Name)
		if of[i].standing() == atChance {
			name += " (not counted)"
		}
		values, names, shown = append(values, all[i]), append(names, name), append(shown, of[i])
	}
	if len(values) < len(all) {
		p.say("of %s tasks: the %d lowest and the %d highest", grouped(len(all)), mostTasks/2, mostTasks-mostTasks/2)
	}
	bars, err := plotter.NewBarChart(values, vg.Points(18))
	if err != nil {
		return p, false, err
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, keptColour, 0
	var tips plotter.XYLabels
	var reach leftRight
	var guessed plotter.XYs
	for i, v := range values {
		t, end := shown[i], v
		if s := t.RetentionSpan; s != nil && drawable(float64(s.Low)) && drawable(float64(s.High)) {
			end = max(v, 100*float64(s.High))
			reach.XYs = append(reach.XYs, plotter.XY{X: v, Y: float64(i)})
			reach.XErrors = append(reach.XErrors, struct{ Low, High float64 }{max(0, v-100*float64(s.Low)), max(0, end-v)})
		}
		if dense := float64(t.Dense.Value); t.Chance > 0 && dense > 0 && drawable(100*t.Chance/dense) {
			guessed = append(guessed, plotter.XY{X: 100 * t.Chance / dense, Y: float64(i)})
		}
		right = max(right, end)
		tips.XYs = append(tips.XYs, plotter.XY{X: end, Y: float64(i)})
		tips.Labels = append(tips.Labels, besideGlyph+decimals(v, 1))
	}
	labels, err := plotter.NewLabels(tips)
	if err != nil {
		return p, false, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font = p.plot.X.Label.TextStyle.Font
		labels.TextStyle[i].YAlign = draw.YCenter
	}
	p.plot.Add(bars)
	if len(reach.XYs) > 0 {
		errors, err := plotter.NewXErrorBars(reach)
		if err != nil {
			return p, false, err
		}
		errors.LineStyle.Width = vg.Points(0.8)
		p.plot.Add(errors)
	}
	if len(guessed) > 0 {
		marks, err := plotter.NewScatter(guessed)
		if err != nil {
			return p, false, err
		}
		marks.GlyphStyle = draw.GlyphStyle{Color: droppedColour, Radius: vg.Points(7), Shape: barGlyph{}}
		p.plot.Add(marks)
		p.say("| what guessing comes to; whiskers: 95 %%")
	}
	p.plot.Add(labels)
	p.plot.NominalY(names...)
	p.plot.X.Min, p.plot.X.Max = 0, max(115, right*1.15)
	p.legend = nil
	p.height = vg.Length(2.2+1.1*float64(len(values))) * vg.Centimeter
	return p, true, nil
}

// leftRight are points with intervals from left to right.
type leftRight struct {
	plotter.XYs
	plotter.XErrors
}

// barGlyph is an upright line, as long as two of its radii.
type barGlyph struct{}

func (barGlyph) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	c.StrokeLine2(draw.LineStyle{Color: style.Color, Width: vg.Points(1.5)}, at.X, at.Y-style.Radius, at.X, at.Y+style.Radius)
}
