package report

// What all pictures share: how they look, and how they become SVG and PNG. Legends stand beside the plot, never over its data.

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"avssnative/internal/report/escape"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
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
	legend        *plot.Legend // nil: none
	width, height vg.Length
}

// The palette keeps apart for readers with colour-blindness (Okabe and Ito 2008).
var palette = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {86, 180, 233, 255}, {230, 159, 0, 255},
	{0, 0, 0, 255}, {148, 103, 189, 255}, {140, 86, 75, 255}}

var (
	keptColour     = palette[0]
	droppedColour  = palette[1]
	baselineColour = color.RGBA{130, 130, 130, 255}
)

// shapes tell lines apart that run over each other, and colours for those who do not see them.
var shapes = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.TriangleGlyph{}, draw.SquareGlyph{}, draw.PlusGlyph{}, draw.CrossGlyph{},
	draw.PyramidGlyph{}, draw.BoxGlyph{}, draw.RingGlyph{}}

const (
	narrow    = 14 * vg.Centimeter
	wide      = 20 * vg.Centimeter
	low       = 7.5 * vg.Centimeter
	textSize  = 10
	titleSize = 12
)

// Pictures are all pictures the report has something for. Their names are of small letters, digits and -, whatever the report's keys are.
func (r *Report) Pictures() ([]Picture, error) {
	makers := []func() (Picture, bool, error){r.retentionPicture, r.sweepPicture("retention"), r.sweepPicture("perplexity"),
		r.sweepPicture("divergence")}
	keys := r.Keys()
	for _, key := range keys[:min(len(keys), mostRankings)] {
		makers = append(makers, func() (Picture, bool, error) { return r.scorePicture(key) })
	}
	makers = append(makers, r.depthPicture(relativeVariance), r.depthPicture(relativeSparsity), r.depthPicture(rawVariance))
	var all []Picture
	taken := map[string]bool{}
	for _, make := range makers {
		p, has, err := make()
		if err != nil {
			return nil, fmt.Errorf("report: picture %s: %w", p.Name, err)
		}
		if has {
			name := p.Name
			for n := 2; taken[p.Name]; n++ {
				p.Name = fmt.Sprintf("%s-%d", name, n)
			}
			taken[p.Name] = true
			all = append(all, p)
		}
	}
	return all, nil
}

// caption is a text of a file as a picture shows it: on one line, and not longer than there is room for.
func caption(s string) string {
	s = escape.Visible(s)
	if letters := []rune(s); len(letters) > mostText {
		return string(letters[:mostText-1]) + "…"
	}
	return s
}

// newPicture is an empty plot with a grid and a legend.
func newPicture(name, title, x, y string) Picture {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	sans := font.Font{Typeface: "Liberation", Variant: "Sans", Size: textSize}
	for _, f := range []*font.Font{&p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font} {
		*f = sans
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(steps), plot.TickerFunc(steps)
	p.Title.TextStyle.Font = sans
	p.Title.TextStyle.Font.Size = titleSize
	p.Title.Padding = vg.Points(8)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{225}, color.Gray{225}
	p.Add(grid)
	legend := plot.NewLegend()
	legend.TextStyle.Font = sans
	legend.Top, legend.Left, legend.Padding, legend.ThumbnailWidth = true, true, vg.Points(3), vg.Points(18)
	return Picture{Name: slug(name, "-"), Title: title, plot: p, legend: &legend, width: narrow, height: low}
}

// stretched says whether positive values span so much that only a logarithm shows them all.
func stretched(values []float64) bool {
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		if isFinite(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	return low > 0 && high/low > 100
}

// logarithmic gives the y axis a logarithm. Its name moves below the title: beside a logarithmic axis the library places it by the arithmetic
// mean of the ends, and leaves room for it above the plot.
func (p *Picture) logarithmic() {
	p.plot.Title.Text += "\n" + p.plot.Y.Label.Text
	p.plot.Y.Label.Text = ""
	p.plot.Y.Scale, p.plot.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decades)
}

// steps marks a linear axis at round numbers, six at most.
func steps(low, high float64) []plot.Tick {
	if !(high-low > 1e-9*max(math.Abs(low), math.Abs(high))) || !isFinite(high-low) || high-low < 1e-300 {
		return nil // nothing to tell apart, or no numbers to count by
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/6)))
	for _, factor := range []float64{2, 2.5, 2} { // 1, 2, 5, 10 times a power of ten
		if (high-low)/step > 6 {
			step *= factor
		}
	}
	var ticks []plot.Tick
	// Adding zero makes 0 of −0.
	for i := math.Ceil(low/step-1e-9) + 0; i*step <= high+1e-9*step; i++ {
		places := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
		label := decimals(i*step, places)
		if high >= 1e5 || places > 4 {
			label = fmt.Sprintf("%.3g", i*step)
		}
		ticks = append(ticks, plot.Tick{Value: i * step, Label: label})
	}
	return ticks
}

// decades marks a logarithmic axis within its ends; where it spans few powers of ten, also at two and five times each.
func decades(low, high float64) []plot.Tick {
	var ticks []plot.Tick
	if !(low > 0) || !isFinite(high) {
		return nil
	}
	for power := math.Floor(math.Log10(low)); power <= math.Log10(high); power++ {
		for digit := 1.0; digit < 10; digit++ {
			v := digit * math.Pow(10, power)
			if v < low || v > high {
				continue
			}
			tick := plot.Tick{Value: v}
			if digit == 1 || high/low < 1e3 && (digit == 2 || digit == 5) {
				tick.Label = fmt.Sprintf("%.3g", v)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// level makes room above and below values that are all the same, which a plot could not scale.
func (p *Picture) level() {
	if low, high := p.plot.Y.Min, p.plot.Y.Max; high-low <= 1e-9*math.Abs(high) {
		margin := max(math.Abs(high)/10, 1e-12)
		p.plot.Y.Min, p.plot.Y.Max = low-margin, high+margin
		if _, log := p.plot.Y.Scale.(plot.LogScale); log && p.plot.Y.Min <= 0 {
			p.plot.Y.Min = high / 2
		}
	}
}

// byLayer marks the x axis with layers, at a step that leaves room for the numbers.
func (p *Picture) byLayer(layers int) {
	step, most := 1, 20
	if digits := len(strconv.Itoa(layers)); digits > 2 {
		most = 48 / (digits + 1)
	}
	for layers/step > most {
		step *= 2
	}
	var ticks []plot.Tick
	for layer := 0; layer < layers; layer += step {
		ticks = append(ticks, plot.Tick{Value: float64(layer), Label: fmt.Sprint(layer)})
	}
	p.plot.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.plot.X.Min, p.plot.X.Max = -0.5, float64(layers)-0.5
}

// draw puts the plot and, at its right, the legend.
func (p Picture) draw(c draw.Canvas) {
	c, beside := p.parts(c)
	if beside != nil {
		p.legend.Draw(*beside)
	}
	p.plot.Draw(c)
}

// parts are the places of the plot and, where there is one, of the legend.
func (p Picture) parts(c draw.Canvas) (plot draw.Canvas, legend *draw.Canvas) {
	c = draw.Crop(c, vg.Points(4), 0, 0, 0) // the library lets the longest label of an axis begin a little outside
	if p.legend == nil {
		return c, nil
	}
	box := p.legend.Rectangle(c)
	if box.Max.X <= box.Min.X {
		return c, nil
	}
	width := box.Max.X - box.Min.X + vg.Points(8)
	beside := draw.Crop(c, c.Max.X-c.Min.X-width, 0, 0, -vg.Points(26))
	return draw.Crop(c, 0, -width-vg.Points(6), 0, 0), &beside
}

// SVG is the picture as text that a page can hold.
func (p Picture) SVG() (string, error) {
	c := vgsvg.New(p.width, p.height)
	p.draw(draw.New(c))
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
	p.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("report: picture %s: %w", p.Name, err)
	}
	return b.Bytes(), nil
}
