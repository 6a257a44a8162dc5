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
	of          func(*SweepPoint) (value, low, high float64)
	dense       float64 // where all lines begin: nothing dropped
	chance      float64 // what guessing comes to; NaN where nothing can be guessed
}

// around is a value with 95 % of a normal distribution's error.
func around(value, stderr float64) (v, low, high float64) {
	if !isFinite(stderr) {
		stderr = 0
	}
	return value, max(0, value-1.96*stderr), value + 1.96*stderr
}

// sweepAxis is retention, the first perplexity, or the divergence.
func (s *Sweep) sweepAxis(what string) (axis, bool) {
	switch what {
	case "divergence":
		return axis{"Divergence against the share dropped", "KL(dense ‖ pruned), nats a token",
			func(p *SweepPoint) (float64, float64, float64) { return around(p.Divergence.KL, p.Divergence.Stderr) }, 0, nan}, true
	case "perplexity":
		task := s.perplexity()
		if task < 0 {
			return axis{}, false
		}
		t, dense := s.Points[0].Tasks[task], nan
		if s.Dense != nil {
			dense = float64(s.Dense.Tasks[task].Value)
		}
		return axis{"Perplexity of " + caption(t.Name) + " against the share dropped", caption(t.Metric),
			func(p *SweepPoint) (float64, float64, float64) {
				return around(float64(p.Tasks[task].Value), float64(p.Tasks[task].Stderr))
			}, dense, nan}, true
	}
	return axis{"Retention against the share dropped", "% (mean of the tasks' ratios)",
		func(p *SweepPoint) (v, low, high float64) {
			v = 100 * float64(p.Retention.MeanOfRatios)
			if span := p.Retention.RatiosSpan; span != nil && isFinite(float64(span.Low)) && isFinite(float64(span.High)) {
				return v, 100 * float64(span.Low), 100 * float64(span.High)
			}
			return v, v, v
		}, 100, 100 * s.chance()}, true
}

// chance is what guessing keeps, the mean over the tasks that the means are over: nothing of those that cannot be guessed. NaN where none can.
func (s *Sweep) chance() float64 {
	places := s.averaged()
	sum := 0.0
	for _, i := range places {
		t := &s.Dense.Tasks[i]
		sum += t.Chance / float64(t.Value)
	}
	if sum == 0 {
		return nan
	}
	return sum / float64(len(places))
}

// sweepPrefix is how the names of pictures by the share dropped begin.
const sweepPrefix = "sweep-"

// sweepPicture shows retention, the first perplexity, or the divergence against the share dropped, a line a metric. Baselines are dashed.
func (r *Report) sweepPicture(what string) func() (Picture, bool, error) {
	return func() (Picture, bool, error) {
		p := newPicture(sweepPrefix+what, "", "layers dropped, %", "")
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
			last[i] = line.XYs[len(line.XYs)-1].Y
		}
		shown := ends(last, mostLines)
		if len(shown) < len(lines) {
			p.say("of %s metrics: those that end lowest and highest", grouped(len(lines)))
		}
		var all []float64
		legends := map[string]bool{}
		for _, i := range shown {
			for _, point := range lines[i].XYs {
				all = append(all, point.Y)
			}
		}
		log := stretched(all)
		// The dense model is where every line begins. A logarithm has no place for its 0, which then stands below all else.
		begin := y.dense
		if begin <= 0 && log {
			begin = slices.Min(all) / 3
			p.say("the dense model is at 0, drawn at the foot of the axis")
		}
		for _, i := range shown {
			line := lines[i].XYs
			if drawable(begin) {
				line = append(plotter.XYs{{X: 0, Y: begin}}, line...)
			}
			l, points, err := plotter.NewLinePoints(line)
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
			} else if len(shown) <= mostIntervals {
				bars, err := plotter.NewYErrorBars(lines[i].within(log))
				if err != nil {
					return p, false, err
				}
				bars.LineStyle.Color, bars.LineStyle.Width, bars.CapWidth = colour, vg.Points(0.6), vg.Points(4)
				p.plot.Add(bars)
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
		p.markChance(y.chance, 100*r.Sweep.widest()+2)
		if len(all) == 0 {
			return p, false, nil
		}
		if log {
			p.logarithmic()
		}
		p.level()
		p.plot.X.Min, p.plot.X.Max = 0, 100*r.Sweep.widest()+2
		// The legend stands beside the plot: half a centimetre a line.
		p.width, p.height = wide, max(11, 2+0.55*vg.Length(len(shown)))*vg.Centimeter
		return p, true, nil
	}
}

// mostIntervals is how many lines have intervals before these hide each other.
const mostIntervals = 16

// within are the points with intervals that a logarithmic axis can show.
func (s spans) within(log bool) spans {
	if !log {
		return s
	}
	cut := spans{XYs: s.XYs, YErrors: slices.Clone(s.YErrors)}
	for i := range cut.YErrors {
		if cut.XYs[i].Y-cut.YErrors[i].Low <= 0 {
			cut.YErrors[i].Low = cut.XYs[i].Y / 2
		}
	}
	return cut
}

// markChance draws what guessing comes to.
func (p *Picture) markChance(chance, wide float64) {
	if !drawable(chance) {
		return
	}
	line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: chance}, {X: wide, Y: chance}})
	if err != nil {
		return // of two finite points there is none
	}
	line.Color, line.Width, line.Dashes = baselineColour, vg.Points(1), []vg.Length{vg.Points(1), vg.Points(2)}
	p.plot.Add(line)
	p.legend.Add("by guessing", line)
}

// lines are the points of each metric that has some, with their intervals, in the order of metrics.
func (s *Sweep) lines(y func(*SweepPoint) (value, low, high float64)) (names []string, lines []spans) {
	of := map[string]*spans{}
	var order []string
	for i := range s.Points {
		point := &s.Points[i]
		v, low, high := y(point)
		if !drawable(v) || point.Share < 0 || point.Share > 1 {
			continue
		}
		if of[point.line()] == nil {
			of[point.line()] = &spans{}
			order = append(order, point.line())
		}
		if !drawable(low) || !drawable(high) {
			low, high = v, v
		}
		line := of[point.line()]
		line.XYs = append(line.XYs, plotter.XY{X: 100 * point.Share, Y: v})
		line.YErrors = append(line.YErrors, struct{ Low, High float64 }{max(0, v-low), max(0, high-v)})
	}
	for _, name := range order {
		names, lines = append(names, name), append(lines, *of[name])
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
