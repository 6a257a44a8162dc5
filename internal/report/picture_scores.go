package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"avssnative/avss"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// spans are points with intervals, as plotter wants them.
type spans struct {
	plotter.XYs
	plotter.YErrors
}

// scorePicture shows one ranking's scores by layer with their intervals. What goes has another colour and shape; infinite scores stand at the top.
func (r *Report) scorePicture(key string) (Picture, bool, error) {
	s := r.Scores[key]
	axis := "score (" + r.firstToGo(key) + " goes first)"
	if unit := r.about(s.Metric).Unit; unit != "" {
		axis = "score, " + caption(unit) + " (" + r.firstToGo(key) + " goes first)"
	}
	p := newPicture("scores-"+key, caption(r.label(key)), r.unitAxis(), axis)
	values := s.Values
	ends := slices.Concat(s.Values, s.High)
	edge, towers, broken := cut(s.Values)
	if broken {
		values, ends = slices.Clone(s.Values), nil
		for layer, v := range s.Values {
			if slices.Contains(towers, layer) {
				values[layer] = edge
			} else if ends = append(ends, v); layer < len(s.High) {
				ends = append(ends, s.High[layer])
			}
		}
	}
	log := stretched(values)
	if log {
		p.logarithmic()
	}
	top := math.Inf(-1)
	for _, v := range ends {
		if drawable(v) {
			top = max(top, v)
		}
	}
	if !drawable(top) {
		return p, false, nil
	}
	if broken { // the others' intervals do not undo the cut
		low := slices.MinFunc(values, func(a, b float64) int { return cmp.Compare(finite(a), finite(b)) })
		top = min(top, edge+0.5*(edge-low))
	}
	above := top + 0.1*math.Abs(top)
	if log {
		above = 2 * top
	}
	var kept, dropped spans
	var infinite plotter.XYs
	var far plotter.XYLabels
	goes := r.droppedLayers()
	for _, layer := range extremes(s.Values, neighbours(len(s.Values)), func(v float64) bool { return drawable(v) || math.IsInf(v, 1) }) {
		switch v := s.Values[layer]; {
		case broken && slices.Contains(towers, layer):
			far.XYs = append(far.XYs, plotter.XY{X: float64(layer), Y: above})
			far.Labels = append(far.Labels, besideGlyph+short(v)+" ↑")
		case math.IsInf(v, 1):
			infinite = append(infinite, plotter.XY{X: float64(layer), Y: above})
		case drawable(v):
			to := &kept
			if goes[layer] {
				to = &dropped
			}
			to.XYs = append(to.XYs, plotter.XY{X: float64(layer), Y: v})
			to.YErrors = append(to.YErrors, interval(s, layer, log, above))
		}
	}
	radius := vg.Points(3)
	if len(s.Values) > mostLayers/4 {
		radius = vg.Points(1.5)
	}
	for _, group := range []struct {
		name string
		spans
		style draw.GlyphStyle
	}{{"stays", kept, draw.GlyphStyle{Color: keptColour, Radius: radius, Shape: draw.CircleGlyph{}}},
		{"goes", dropped, draw.GlyphStyle{Color: droppedColour, Radius: radius + vg.Points(1), Shape: draw.PyramidGlyph{}}}} {
		if len(group.XYs) == 0 {
			continue
		}
		points, err := plotter.NewScatter(group.XYs)
		if err != nil {
			return p, false, err
		}
		points.GlyphStyle = group.style
		bars, err := plotter.NewYErrorBars(group.spans)
		if err != nil {
			return p, false, err
		}
		bars.LineStyle.Color = group.style.Color
		p.plot.Add(bars, points)
		if r.Plan != nil {
			p.legend.Add(group.name, points)
		}
	}
	if len(infinite) > 0 {
		points, err := plotter.NewScatter(infinite)
		if err != nil {
			return p, false, err
		}
		points.GlyphStyle = draw.GlyphStyle{Color: baselineColour, Radius: radius + vg.Points(0.5), Shape: draw.RingGlyph{}}
		p.plot.Add(points)
		p.legend.Add("infinite", points)
	}
	if broken {
		if err := p.towers(far); err != nil {
			return p, false, err
		}
	}
	p.sayGroups(len(s.Values))
	p.level()
	p.byLayer(len(s.Values))
	return p, true, nil
}

// besideGlyph keeps a label off its point. Spaces that may break would be lost in SVG.
const besideGlyph = "\u00a0\u00a0\u00a0"

// towers draws what stands above the end of the axis, at its edge, and says so.
func (p *Picture) towers(far plotter.XYLabels) error {
	points, err := plotter.NewScatter(far.XYs)
	if err != nil {
		return err
	}
	points.GlyphStyle = draw.GlyphStyle{Color: palette[6], Radius: vg.Points(3.5), Shape: draw.TriangleGlyph{}}
	labels, err := plotter.NewLabels(far)
	if err != nil {
		return err
	}
	for i := range labels.TextStyle {
		labels.TextStyle[i].Font = p.plot.X.Label.TextStyle.Font
		labels.TextStyle[i].YAlign = draw.YCenter
		if far.XYs[i].X > 0.8*p.plot.X.Max { // at the right there is no room for it
			labels.TextStyle[i].XAlign = draw.XRight
			labels.Labels[i] = "↑ " + strings.Trim(labels.Labels[i], "\u00a0↑ ") + besideGlyph
		}
	}
	p.plot.Add(points, labels)
	p.legend.Add("above the axis", points)
	p.say("the axis is cut: %s above it", map[bool]string{true: "one layer stands", false: fmt.Sprint(len(far.XYs)) +
		" layers stand"}[len(far.XYs) == 1])
	return nil
}

// interval is how far a score reaches down and up; what reaches to infinity ends at `above`.
func interval(s avss.Scores, layer int, log bool, above float64) struct{ Low, High float64 } {
	var reach struct{ Low, High float64 }
	if len(s.Low) <= layer || len(s.High) <= layer {
		return reach
	}
	v := s.Values[layer]
	if low := s.Low[layer]; drawable(low) {
		reach.Low = max(0, v-low)
	}
	if log && v-reach.Low <= 0 {
		reach.Low = v / 2
	}
	switch high := s.High[layer]; {
	case math.IsInf(high, 1):
		reach.High = max(0, above-v)
	case drawable(high):
		reach.High = max(0, min(high, above)-v)
	}
	return reach
}
