package report

import (
	"avssnative/avss"

	"avssnative/engine/device"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// measure is something measured of a layer's sites that is drawn by depth.
type measure struct {
	name, title, axis string
	of                func(avss.SiteSummary) avss.Value
	all               bool // also of what is divided by its own size, of which the variance is 1 everywhere
}

var (
	relativeVariance = measure{"variance", "Variance by depth, relative to the residual stream", "variance of relative values",
		func(s avss.SiteSummary) avss.Value { return s.RelativeVariance }, false}
	relativeSparsity = measure{"sparsity", "Sparsity by depth", "share of relative values below 1e-2",
		func(s avss.SiteSummary) avss.Value { return s.RelativeSparsity }, true}
	rawVariance = measure{"raw-variance", "Variance by depth, as the published formula takes it", "variance of raw values",
		func(s avss.SiteSummary) avss.Value { return s.Variance }, true}
)

// depthPicture shows a measure by depth, a line a site.
func (r *Report) depthPicture(m measure) func() (Picture, bool, error) {
	return func() (Picture, bool, error) {
		p := newPicture(m.name, m.title, r.unitAxis(), m.axis)
		var all []float64
		for i := range device.Sites {
			name := i.String()
			if !m.all && (name == "block" || name == "act") {
				continue
			}
			values := make([]float64, len(r.Layers))
			for layer, row := range r.Layers {
				values[layer] = nan
				if s, has := row.Sites[name]; has {
					values[layer] = float64(m.of(s))
				}
			}
			var line plotter.XYs
			for _, layer := range extremes(values, neighbours(len(values)), func(v float64) bool { return v > 0 && drawable(v) }) {
				line = append(line, plotter.XY{X: float64(layer), Y: values[layer]})
				all = append(all, values[layer])
			}
			if len(line) < 2 {
				continue
			}
			l, points, err := plotter.NewLinePoints(line)
			if err != nil {
				return p, false, err
			}
			colour := palette[int(i)%len(palette)]
			l.Color, l.Width = colour, vg.Points(1.5)
			if neighbours(len(values)) > 1 { // points would cover each other
				l.Width = vg.Points(0.7)
				p.plot.Add(l)
				p.legend.Add(name, l)
				continue
			}
			points.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(2.5), Shape: shapes[int(i)%len(shapes)]}
			p.plot.Add(l, points)
			p.legend.Add(name, l, points)
		}
		if len(all) == 0 {
			return p, false, nil
		}
		if stretched(all) {
			p.logarithmic()
		}
		p.sayGroups(r.rows())
		p.level()
		p.byLayer(r.rows())
		return p, true, nil
	}
}
