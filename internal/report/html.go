package report

import (
	"embed"
	"html/template"
	"io"
	"strings"

	"avssnative/internal/report/escape"
)

//go:embed page.html
var pages embed.FS

// onPage is how every text on the page gets there: what html/template does, and what cannot be seen is made visible.
func onPage(s string) template.HTML {
	return template.HTML(escape.HTML(s)) //nolint:gosec // this is the escaping
}

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"text": onPage, "cite": cite, "next": func(i int, sentence string) string {
	if command, is := strings.CutPrefix(sentence, next); is && i == commandSentence {
		return command
	}
	return ""
}}).ParseFS(pages, "page.html"))

// drawing is a picture as the page shows it.
type drawing struct {
	SVG  template.HTML
	Wide bool
}

// HTML writes one page that needs nothing else: tables, pictures as SVG, no scripts, nothing loaded from elsewhere. The pictures stand behind
// the tables of what was found, before those of single layers.
func (r *Report) HTML(out io.Writer) error {
	pictures, err := r.Pictures()
	if err != nil {
		return err
	}
	var drawings []drawing
	for _, p := range pictures {
		svg, err := p.SVG()
		if err != nil {
			return err
		}
		drawings = append(drawings, drawing{template.HTML(svg), p.width > narrow}) //nolint:gosec // made by gonum/plot, which escapes the text in it
	}
	var tables []section
	after := -1 // a sweep's tables are long: its pictures come first
	for i, t := range r.Tables() {
		tables = append(tables, section{t.Title, t.html(), t.Note, t.Notes})
		if r.Sweep == nil && !t.single {
			after = i
		}
	}
	text := ""
	if r.Calibration != nil {
		text = r.text()
	}
	return page.Execute(out, map[string]any{"Report": r, "Tables": tables, "After": after, "Pictures": drawings, "Warnings": r.AllWarnings(),
		"Verdict": r.Verdict(), "Name": r.name(), "Text": text, "Became": strings.Join(r.became(), " "), "Parameters": count(r.Model.Parameters),
		"Bytes": size(r.Model.Bytes), "Command": strings.Join(r.Command, " "),
		"References": r.bibliography()})
}

// section is a table as the page shows it.
type section struct {
	Title string
	Table template.HTML
	Note  string
	Notes []string
}

// html is the table's element.
func (t *Table) html() template.HTML {
	left := make([]string, len(t.Columns))
	for i := range left {
		if t.left(i) {
			left[i] = ` class="left"`
		}
	}
	var b strings.Builder
	b.WriteString("<table><thead><tr>")
	for i, c := range t.Columns {
		b.WriteString("<th" + left[i] + ">" + escape.HTML(c.Name) + "</th>")
	}
	b.WriteString("</tr></thead><tbody>\n")
	for _, row := range t.Rows {
		if row.Dropped {
			b.WriteString(`<tr class="dropped">`)
		} else {
			b.WriteString("<tr>")
		}
		for i, c := range row.Cells {
			b.WriteString("<td" + left[i] + ">" + escape.HTML(shown(c)) + "</td>")
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table>")
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped above
}
