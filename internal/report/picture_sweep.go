package report

import (
	"image/color"
	"slices"
	"strings"

	"avssnative/avss"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// axis is what a picture of a sweep shows upwards.
type axis struct {
	title, name string
	of          func(SweepPoint) float64
}

// sweepAxis is retention, the first perplexity, or the divergence.
func (s *Sweep) sweepAxis(what string) (axis, bool) {
	switch what {
	case "divergence":
		return axis{"Divergence against the share dropped", "KL(dense ‖ pruned), nats a token",
			func(p SweepPoint) float64 { return p.Divergence.KL }}, true
	case "perplexity":
		task := s.perplexity()
		if task < 0 {
			return axis{}, false
		}
		t := s.Points[0].Tasks[task]
		return axis{"Perplexity of " + caption(t.Name) + " against the share dropped", caption(t.Metric),
			func(p SweepPoint) float64 { return float64(p.Tasks[task].Value) }}, true
	}
	return axis{"Retention against the share dropped", "% (mean of the tasks' ratios)",
		func(p SweepPoint) float64 { return 100 * float64(p.Retention.MeanOfRatios) }}, true
}

// sweepPicture shows retention, the first perplexity, or the divergence against the share dropped, a line a metric. Baselines are dashed.
func (r *Report) sweepPicture(what string) func() (Picture, bool, error) {
	return func() (Picture, bool, error) {
		p := newPicture("sweep-"+what, "", "layers dropped, %", "")
		if r.Sweep == nil {
			return p, false, nil
		}
		y, has := r.Sweep.sweepAxis(what)
		if !has {
			return p, false, nil
		}
		p.Title, p.plot.Title.Text, p.plot.Y.Label.Text = y.title, y.title, y.name
		names, lines := r.Sweep.lines(y.of)
		last := make([]float64, len(lines))
		for i, line := range lines {
			last[i] = line[len(line)-1].Y
		}
		shown := ends(last, mostLines)
		if len(shown) < len(lines) {
			p.say("of %s metrics: those that end lowest and highest", grouped(len(lines)))
		}
		var all []float64
		legends := map[string]bool{}
		for _, i := range shown {
			for _, point := range lines[i] {
				all = append(all, point.Y)
			}
			l, points, err := plotter.NewLinePoints(lines[i])
			if err != nil {
				return p, false, err
			}
			metric := names[i]
			var colour color.Color = palette[i%len(palette)]
			baseline, seeded := baselineOf(metric)
			if baseline != "" {
				l.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
			}
			if seeded {
				colour = baselineColour
			}
			l.Color, l.Width = colour, vg.Points(1.5)
			points.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(3.5), Shape: shapes[i%len(shapes)]}
			if seeded {
				points.Radius, points.Shape = vg.Points(2), draw.CircleGlyph{}
			}
			p.plot.Add(l, points)
			switch {
			case !seeded:
				p.legend.Add(caption(metric), l, points)
			case !legends[baseline]:
				p.legend.Add(baseline+", each seed", l, points)
				legends[baseline] = true
			}
		}
		if len(all) == 0 {
			return p, false, nil
		}
		if stretched(all) {
			p.logarithmic()
		}
		p.level()
		p.plot.X.Min, p.plot.X.Max = 0, 100*r.Sweep.widest()+2
		// The legend stands beside the plot: half a centimetre a line.
		p.width, p.height = wide, max(11, 2+0.55*vg.Length(len(shown)))*vg.Centimeter
		return p, true, nil
	}
}

// lines are the points of each metric that has some, in the order of metrics.
func (s *Sweep) lines(y func(SweepPoint) float64) (names []string, lines []plotter.XYs) {
	of := map[string]plotter.XYs{}
	for _, point := range s.Points {
		if v := y(point); drawable(v) && point.Share >= 0 && point.Share <= 1 {
			of[point.line()] = append(of[point.line()], plotter.XY{X: 100 * point.Share, Y: v})
		}
	}
	for _, point := range s.Points {
		if name := point.line(); len(of[name]) > 0 && !slices.Contains(names, name) {
			names, lines = append(names, name), append(lines, of[name])
		}
	}
	return names, lines
}

const repaired = ", repaired"

// line is the name of the line that a point lies on.
func (p *SweepPoint) line() string {
	if p.Repair == "" {
		return p.Metric
	}
	return p.Metric + repaired
}

// baselineOf is the baseline that a ranking of a sweep is, empty where it is none, and whether its name ends in a seed.
func baselineOf(ranking string) (name string, seeded bool) {
	ranking = strings.TrimSuffix(ranking, repaired)
	name = ranking
	if at := strings.LastIndex(ranking, "-"); at >= 0 {
		name, seeded = ranking[:at], true
	}
	if d, err := avss.Lookup(name); err != nil || d.Kind() != avss.Baseline {
		return "", false
	}
	return name, seeded
}

// metrics are the sweep's, in the order of its points.
func (s *Sweep) metrics() []string {
	var names []string
	seen := map[string]bool{}
	for _, p := range s.Points {
		if !seen[p.Metric] {
			seen[p.Metric] = true
			names = append(names, p.Metric)
		}
	}
	return names
}

// perplexity is the first task that is measured as one, −1 where none is.
func (s *Sweep) perplexity() int {
	if len(s.Points) == 0 {
		return -1
	}
	return slices.IndexFunc(s.Points[0].Tasks, func(t TaskPoint) bool { return t.Convention != "" })
}

// widest is the largest share dropped.
func (s *Sweep) widest() float64 {
	widest := 0.0
	for _, p := range s.Points {
		if p.Share <= 1 {
			widest = max(widest, p.Share)
		}
	}
	return widest
}
