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
	for _, i := range ends(all, mostTasks) {
		name := caption(of[i].Name)
		if of[i].standing() == atChance {
			name += " (at chance)"
		}
		values, names = append(values, all[i]), append(names, name)
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
	for i, v := range values {
		tips.XYs = append(tips.XYs, plotter.XY{X: v, Y: float64(i)})
		tips.Labels = append(tips.Labels, " "+decimals(v, 1))
	}
	labels, err := plotter.NewLabels(tips)
	if err != nil {
		return p, false, err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font = p.plot.X.Label.TextStyle.Font
		labels.TextStyle[i].YAlign = draw.YCenter
	}
	p.plot.Add(bars, labels)
	p.plot.NominalY(names...)
	p.plot.X.Min, p.plot.X.Max = 0, max(115, slices.Max(values)*1.15)
	p.legend = nil
	p.height = vg.Length(2.2+1.1*float64(len(values))) * vg.Centimeter
	return p, true, nil
}
