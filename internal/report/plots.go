package report

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Picture is a plot that the report has data for.
type Picture struct {
	Name          string // file name without its end
	Title         string
	plot          *plot.Plot
	width, height vg.Length
}

// The palette keeps apart for readers with colour-blindness (Okabe and Ito 2008).
var palette = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {86, 180, 233, 255}, {230, 159, 0, 255},
	{0, 0, 0, 255}, {120, 120, 120, 255}, {148, 103, 189, 255}, {140, 86, 75, 255}}

var (
	keptColour    = palette[0]
	droppedColour = palette[1]
)

// Pictures are all pictures the report has something for.
func (r *Report) Pictures() ([]Picture, error) {
	var all []Picture
	for _, key := range r.Keys() {
		if s := r.Scores[key]; len(s.Values) > 0 && finite(s.Values) {
			p, err := r.scorePicture(key)
			if err != nil {
				return nil, err
			}
			all = append(all, p)
		}
	}
	for _, make := range []func() (Picture, bool, error){r.depthPicture, r.retentionPicture, r.sweepPicture("retention"), r.sweepPicture("perplexity"), r.sweepPicture("divergence")} {
		p, has, err := make()
		if err != nil {
			return nil, err
		}
		if has {
			all = append(all, p)
		}
	}
	return all, nil
}

// finite says whether any value can be drawn.
func finite(values []float64) bool {
	return slices.ContainsFunc(values, func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) })
}

func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size = vg.Points(12)
	p.Title.Padding = vg.Points(6)
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	return p
}

// stretched says whether positive values span so much that only a logarithm shows them all.
func stretched(values []float64) bool {
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			low, high = min(low, v), max(high, v)
		}
	}
	return low > 0 && high/low > 100
}

// span is a point with an interval, as plotter wants it.
type spans struct {
	plotter.XYs
	plotter.YErrors
}

// scorePicture shows one ranking's scores by layer with their intervals; what goes is in another colour.
func (r *Report) scorePicture(key string) (Picture, error) {
	s := r.Scores[key]
	p := newPlot(r.label(key), "layer", "score (lowest goes first)")
	logarithmic := stretched(s.Values)
	if logarithmic {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: 2}
	}
	var kept, dropped spans
	for layer, v := range s.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		to := &kept
		if r.Plan != nil && slices.Contains(r.Plan.Dropped, layer) {
			to = &dropped
		}
		below, above := 0.0, 0.0
		if len(s.Low) > layer && len(s.High) > layer && finite(s.Low[layer:layer+1]) && finite(s.High[layer:layer+1]) {
			below, above = max(0, v-s.Low[layer]), max(0, s.High[layer]-v)
			if logarithmic && v-below <= 0 {
				below = v / 2
			}
		}
		to.XYs = append(to.XYs, plotter.XY{X: float64(layer), Y: v})
		to.YErrors = append(to.YErrors, struct{ Low, High float64 }{below, above})
	}
	for _, group := range []struct {
		name string
		spans
		colour color.RGBA
	}{{"stays", kept, keptColour}, {"goes", dropped, droppedColour}} {
		if len(group.XYs) == 0 {
			continue
		}
		points, err := plotter.NewScatter(group.XYs)
		if err != nil {
			return Picture{}, fmt.Errorf("report: picture %s: %w", key, err)
		}
		points.GlyphStyle = draw.GlyphStyle{Color: group.colour, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
		bars, err := plotter.NewYErrorBars(group.spans)
		if err != nil {
			return Picture{}, fmt.Errorf("report: picture %s: %w", key, err)
		}
		bars.LineStyle.Color = group.colour
		p.Add(bars, points)
		if r.Plan != nil {
			p.Legend.Add(group.name, points)
		}
	}
	p.X.Tick.Marker = layerTicks(len(s.Values))
	return Picture{Name: "scores-" + key, Title: r.label(key), plot: p, width: 16 * vg.Centimeter, height: 8 * vg.Centimeter}, nil
}

// layerTicks marks layers at a step that leaves room for the numbers.
func layerTicks(layers int) plot.Ticker {
	step := 1
	for layers/step > 20 {
		step *= 2
	}
	var ticks []plot.Tick
	for layer := 0; layer < layers; layer += step {
		ticks = append(ticks, plot.Tick{Value: float64(layer), Label: fmt.Sprint(layer)})
	}
	return plot.ConstantTicks(ticks)
}

// depthPicture shows variance and sparsity by depth, of what each layer adds and of the residual stream.
func (r *Report) depthPicture() (Picture, bool, error) {
	p := newPlot("Variance and sparsity by depth", "layer", "relative variance, share of relative values below 1e-2")
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: 1}
	drawn := 0
	for i, site := range []string{"delta", "attn", "mlp", "act"} {
		for j, what := range []string{"variance", "sparsity"} {
			var line plotter.XYs
			for _, row := range r.Layers {
				s, has := row.Sites[site]
				v := float64(s.RelativeVariance)
				if what == "sparsity" {
					v = float64(s.RelativeSparsity)
				}
				if has && v > 0 && finite([]float64{v}) {
					line = append(line, plotter.XY{X: float64(row.Index), Y: v})
				}
			}
			if len(line) < 2 {
				continue
			}
			l, err := plotter.NewLine(line)
			if err != nil {
				return Picture{}, false, fmt.Errorf("report: picture depth: %w", err)
			}
			l.Color, l.Width = palette[i], vg.Points(1.5)
			if j == 1 {
				l.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
			}
			p.Add(l)
			p.Legend.Add(what+", "+site, l)
			drawn++
		}
	}
	p.X.Tick.Marker = layerTicks(r.Model.Layers)
	p.X.Max = float64(r.Model.Layers) * 1.35 // room for the legend
	return Picture{Name: "depth", Title: p.Title.Text, plot: p, width: 18 * vg.Centimeter, height: 10 * vg.Centimeter}, drawn > 0, nil
}

// retentionPicture shows what was kept of each task.
func (r *Report) retentionPicture() (Picture, bool, error) {
	var values plotter.Values
	var names []string
	for _, t := range r.Tasks {
		if t.Pruned != nil && finite([]float64{float64(t.Retention)}) {
			values = append(values, 100*float64(t.Retention))
			names = append(names, t.Name)
		}
	}
	if len(values) == 0 {
		return Picture{}, false, nil
	}
	p := newPlot("Retention by task", "", "% of the whole model")
	bars, err := plotter.NewBarChart(values, vg.Points(28))
	if err != nil {
		return Picture{}, false, fmt.Errorf("report: picture retention: %w", err)
	}
	bars.Color, bars.LineStyle.Width = keptColour, 0
	whole := plotter.NewFunction(func(float64) float64 { return 100 })
	whole.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	p.Add(bars, whole)
	p.NominalX(names...)
	p.Y.Min = 0
	p.Y.Max = max(110, slices.Max(values)*1.05)
	return Picture{Name: "retention", Title: p.Title.Text, plot: p, width: vg.Length(max(10, 4*len(values))) * vg.Centimeter, height: 8 * vg.Centimeter}, true, nil
}

// sweepPicture shows retention, the first perplexity, or the divergence against the share dropped, a line a metric.
func (r *Report) sweepPicture(what string) func() (Picture, bool, error) {
	return func() (Picture, bool, error) {
		if r.Sweep == nil {
			return Picture{}, false, nil
		}
		y, name := func(p SweepPoint) float64 { return 100 * float64(p.Retention.MeanOfRatios) }, "retention, % (mean of ratios)"
		switch what {
		case "divergence":
			y, name = func(p SweepPoint) float64 { return p.Divergence.KL }, "KL(whole ‖ smaller), nats a token"
		case "perplexity":
			task := r.Sweep.perplexity()
			if task < 0 {
				return Picture{}, false, nil
			}
			t := r.Sweep.Points[0].Tasks[task]
			y, name = func(p SweepPoint) float64 { return float64(p.Tasks[task].Value) }, fmt.Sprintf("%s, %s", t.Name, t.Metric)
		}
		p := newPlot("Against the share of layers dropped: "+name, "layers dropped, %", name)
		metrics, all := r.Sweep.metrics(), []float64{}
		for i, metric := range metrics {
			var line plotter.XYs
			for _, point := range r.Sweep.Points {
				if v := y(point); point.Metric == metric && finite([]float64{v}) {
					line = append(line, plotter.XY{X: 100 * point.Share, Y: v})
					all = append(all, v)
				}
			}
			if len(line) == 0 {
				continue
			}
			l, points, err := plotter.NewLinePoints(line)
			if err != nil {
				return Picture{}, false, fmt.Errorf("report: picture sweep: %w", err)
			}
			colour := palette[i%len(palette)]
			l.Color, points.Color, l.Width = colour, colour, vg.Points(1.5)
			points.Shape = plotutil.DefaultGlyphShapes[i%len(plotutil.DefaultGlyphShapes)]
			p.Add(l, points)
			p.Legend.Add(metric, l, points)
		}
		if len(all) == 0 {
			return Picture{}, false, nil
		}
		if stretched(all) {
			p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: 2}
		}
		p.X.Min = 0
		p.X.Max = r.Sweep.widest() * 130 // room for the legend
		return Picture{Name: "sweep-" + what, Title: p.Title.Text, plot: p, width: 20 * vg.Centimeter, height: 11 * vg.Centimeter}, true, nil
	}
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
		widest = max(widest, p.Share)
	}
	return widest
}

// SVG is the picture as text that a page can hold.
func (p Picture) SVG() (string, error) {
	c := vgsvg.New(p.width, p.height)
	p.plot.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("report: picture %s: %w", p.Name, err)
	}
	// What stands before the element itself has no place inside a page.
	return string(b.Bytes()[max(0, bytes.Index(b.Bytes(), []byte("<svg"))):]), nil
}

// PNG is the picture in pixels.
func (p Picture) PNG() ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(p.width, p.height), vgimg.UseDPI(150), vgimg.UseBackgroundColor(color.White))
	p.plot.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("report: picture %s: %w", p.Name, err)
	}
	return b.Bytes(), nil
}
