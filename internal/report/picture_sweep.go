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

// sweepPicture shows retention, the first perplexity, or the divergence against the share dropped, a line a metric. Baselines are dashed.
func (r *Report) sweepPicture(what string) func() (Picture, bool, error) {
	return func() (Picture, bool, error) {
		p := newPicture("sweep-"+what, "", "layers dropped, %", "")
		if r.Sweep == nil {
			return p, false, nil
		}
		y, title, name := func(p SweepPoint) float64 { return 100 * float64(p.Retention.MeanOfRatios) }, "Retention against the share dropped", "% (mean of the tasks' ratios)"
		switch what {
		case "divergence":
			y, title, name = func(p SweepPoint) float64 { return p.Divergence.KL }, "Divergence against the share dropped", "KL(whole ‖ smaller), nats a token"
		case "perplexity":
			task := r.Sweep.perplexity()
			if task < 0 {
				return p, false, nil
			}
			t := r.Sweep.Points[0].Tasks[task]
			y, title, name = func(p SweepPoint) float64 { return float64(p.Tasks[task].Value) }, "Perplexity of "+t.Name+" against the share dropped", t.Metric
		}
		p.Title, p.plot.Title.Text, p.plot.Y.Label.Text = title, title, name
		var all []float64
		random := false
		for i, metric := range r.Sweep.metrics() {
			var line plotter.XYs
			for _, point := range r.Sweep.Points {
				if v := y(point); point.Metric == metric && drawable(v) && point.Share >= 0 && point.Share <= 1 {
					line = append(line, plotter.XY{X: 100 * point.Share, Y: v})
					all = append(all, v)
				}
			}
			if len(line) == 0 {
				continue
			}
			l, points, err := plotter.NewLinePoints(line)
			if err != nil {
				return p, false, err
			}
			var colour color.Color = palette[i%len(palette)]
			baseline, seeded := baselineOf(metric)
			if baseline {
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
				p.legend.Add(metric, l, points)
			case !random:
				p.legend.Add(metric[:strings.LastIndex(metric, "-")]+", each seed", l, points)
				random = true
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
		p.width, p.height = wide, 11*vg.Centimeter
		return p, true, nil
	}
}

// baselineOf says whether a ranking of a sweep looks at nothing, and whether its name ends in a seed.
func baselineOf(name string) (baseline, seeded bool) {
	at := strings.LastIndex(name, "-")
	if at < 0 {
		at = len(name)
	}
	d, err := avss.Lookup(name[:at])
	baseline = err == nil && d.Kind() == avss.Baseline
	return baseline, baseline && at < len(name)
}

// metrics are the sweep's, in the order of its points.
func (s *Sweep) metrics() []string {
	var names []string
	for _, p := range s.Points {
		if !slices.Contains(names, p.Metric) {
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
