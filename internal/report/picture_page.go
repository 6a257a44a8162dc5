package report

// What a page makes of a picture: it has a name for those who do not see it, takes the colours of the page, light or dark, and says where its
// data lies, so that the page can mark a place on the axis.

import (
	"html/template"
	"regexp"
	"strings"

	"avssnative/internal/report/escape"

	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// drawing is a picture as the page shows it.
type drawing struct {
	Name, Title string
	SVG         template.HTML
	Wide        bool
	Axis        *span // nil: no place on it is marked
}

// span is the ends of a horizontal axis, and where on the picture its data lies, in parts of the picture's width and height from the top left.
type span struct {
	Low, High                float64
	Left, Right, Top, Bottom float64
}

// drawing renders a picture for the page. marked: its axis is one of shares.
func (p Picture) drawing(marked bool) (drawing, error) {
	svg, err := p.SVG()
	if err != nil {
		return drawing{}, err
	}
	svg = strings.Replace(svg, "<svg ", `<svg role="img" aria-label="`+escape.HTML(p.Title)+`" `, 1)
	svg = colours.ReplaceAllStringFunc(svg, func(pair string) string {
		property, colour, _ := strings.Cut(pair, ":")
		return property + ":" + themed(colour)
	})
	d := drawing{Name: p.Name, Title: p.Title, SVG: template.HTML(svg), Wide: p.width > narrow} //nolint:gosec // gonum/plot escapes the text in it
	if marked {
		d.Axis = p.axis()
	}
	return d, nil
}

// colours are those that gonum/plot writes.
var colours = regexp.MustCompile(`(fill|stroke):#[0-9A-F]{6}`)

// themed is a colour that follows the page; behind the comma stands what it is anywhere else, as in a file of its own.
func themed(colour string) string {
	switch colour {
	case "#000000":
		return "var(--text, #000000)"
	case "#FFFFFF":
		return "var(--page, #FFFFFF)"
	case "#E1E1E1":
		return "var(--line, #E1E1E1)"
	}
	return "var(--" + strings.ToLower(colour[1:]) + ", " + colour + ")"
}

// axis says where the picture's data lies.
func (p Picture) axis() *span {
	c := draw.New(vgsvg.New(p.width, p.height))
	width, height := c.Max.X, c.Max.Y
	c, _ = p.parts(c)
	data := p.plot.DataCanvas(c)
	return &span{p.plot.X.Min, p.plot.X.Max, float64(data.Min.X / width), float64(data.Max.X / width), 1 - float64(data.Max.Y/height),
		1 - float64(data.Min.Y/height)}
}
