package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"

	"avssnative/internal/report/escape"
)

//go:embed page.html page.css page.js index.html
var pages embed.FS

// pageScript and pageStyle are this package's own, and all that a browser runs and reads: the page's policy names the one by its sum.
var (
	pageScript = owned("page.js")
	pageStyle  = owned("page.css")
)

func owned(name string) string {
	data, err := pages.ReadFile(name)
	if err != nil {
		panic(err) // it is in the program
	}
	return string(data)
}

// Policy is what a page allows a browser: its own style, its own script, and nothing from anywhere (Content Security Policy level 3).
var Policy = func() string {
	sum := sha256.Sum256([]byte(pageScript))
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'"
}()

// onPage is how every text on the page gets there: what html/template does, and what cannot be seen is made visible.
func onPage(s string) template.HTML {
	return template.HTML(escape.HTML(s)) //nolint:gosec // this is the escaping
}

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"text": onPage, "cite": cite, "next": func(i int, sentence string) string {
	if command, is := strings.CutPrefix(sentence, next); is && i == commandSentence {
		return command
	}
	return ""
}}).ParseFS(pages, "page.html", "index.html"))

// HTML writes one page that needs nothing else: tables, pictures as SVG, and a script of its own that lets the reader turn over what was measured;
// nothing is loaded from elsewhere. Without the script everything is there but the slider and the downloads. The pictures stand behind the tables
// of what was found, before those of single layers.
func (r *Report) HTML(out io.Writer) error {
	curves, drawings, err := r.drawings()
	if err != nil {
		return err
	}
	tables, data, err := r.onPage()
	if err != nil {
		return err
	}
	after := -1 // a sweep's tables are long: its pictures come first
	for i := range tables {
		if r.Sweep == nil && !tables[i].single {
			after = i
		}
	}
	text := ""
	if r.Calibration != nil {
		text = r.text()
	}
	data.Explorer = r.explore()
	encoded, err := json.Marshal(data) // which writes <, > and & as \u003c …
	if err != nil {
		return err
	}
	return page.Execute(out, map[string]any{"Report": r, "Tables": tables, "After": after, "Pictures": drawings, "Curves": curves,
		"Warnings": r.AllWarnings(), "Verdict": r.Verdict(), "Name": r.name(), "Text": text, "Became": strings.Join(r.became(), " "),
		"Parameters": count(r.Model.Parameters), "Bytes": size(r.Model.Bytes), "Command": strings.Join(r.Command, " "),
		"References": r.bibliography(), "Explorer": data.Explorer, "Says": r.sayings(data.Explorer), "Shares": r.sharesCommand(),
		"Policy": Policy, "Style": element("style", "", pageStyle), "Script": element("script", "", pageScript),
		"Data": element("script", ` type="application/json" id="data"`, string(encoded))})
}

// element is an element of a page that holds no text of a file, or JSON.
func element(name, attributes, content string) template.HTML {
	return template.HTML("<" + name + attributes + ">" + content + "</" + name + ">") //nolint:gosec // of this package
}

// drawings are the pictures: those of costs by share, which stand beside the slider, and the others.
func (r *Report) drawings() (curves, others []drawing, err error) {
	pictures, err := r.Pictures()
	if err != nil {
		return nil, nil, err
	}
	for _, p := range pictures {
		byShare := strings.HasPrefix(p.Name, sweepPrefix)
		d, err := p.drawing(byShare)
		if err != nil {
			return nil, nil, err
		}
		if byShare {
			curves = append(curves, d)
		} else {
			others = append(others, d)
		}
	}
	return curves, others, nil
}

// embedded is what the page's script reads.
type embedded struct {
	Tables   []file    `json:"tables"`
	Explorer *explorer `json:"explorer,omitempty"`
}

// file is what a reader may save.
type file struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// section is a table as the page shows it.
type section struct {
	Title  string
	Table  template.HTML
	Note   string
	Notes  []string
	single bool
}

// onPage is the tables as the page shows them, and as it saves them.
func (r *Report) onPage() (shown []section, data embedded, err error) {
	taken := map[string]bool{}
	for _, t := range r.Tables() {
		shown = append(shown, section{t.Title, t.html(), t.Note, t.Notes, t.single})
		var b bytes.Buffer
		if err := t.csv(&b); err != nil {
			return nil, data, err
		}
		name := slug(t.Title, "-")
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s-%d", slug(t.Title, "-"), n)
		}
		taken[name] = true
		data.Tables = append(data.Tables, file{name + ".csv", b.String()})
	}
	return shown, data, nil
}

// saying is what the models say after one beginning.
type saying struct {
	Prompt, Dense string
	Pruned        *passage
	Repetition    string
}

// sayings are the texts side by side; none where the slider shows them.
func (r *Report) sayings(e *explorer) []saying {
	if e != nil && len(e.Prompts) > 0 {
		return nil
	}
	var all []saying
	for _, g := range r.Generation {
		s := saying{g.Prompt, g.Dense, nil, g.Repetition()}
		if g.Pruned != nil {
			p := beside(g.Dense, *g.Pruned)
			s.Pruned = &p
		}
		all = append(all, s)
	}
	return all
}

// sharesCommand is what to type for a page with a slider, where a run has judged one share.
func (r *Report) sharesCommand() string {
	if r.Sweep != nil || r.Plan == nil || r.Plan.Metric == "" || len(r.Command) < 2 || r.Command[1] != "run" {
		return ""
	}
	words := r.again(map[string]string{"shares": "", "report": "", "out": "", "force": "", "resume": ""})
	return typed(append(words, "--shares=12.5,25,37.5,50", "--report=shares"))
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
		b.WriteString(`<th scope="col"` + left[i] + ">" + escape.HTML(c.Name) + "</th>")
	}
	b.WriteString("</tr></thead><tbody>\n")
	for _, row := range t.Rows {
		if row.Dropped {
			b.WriteString(`<tr class="dropped">`)
		} else {
			b.WriteString("<tr>")
		}
		for i, c := range row.Cells {
			switch c := c.(type) {
			case Correlation:
				fmt.Fprintf(&b, `<td class="%s" style="--by:%.0f%%">%s</td>`, map[bool]string{true: "alike", false: "unlike"}[c.shade() >= 0],
					100*max(c.shade(), -c.shade()), escape.HTML(c.shown()))
			default:
				name := "td"
				if i == 0 {
					name = "th"
				}
				b.WriteString("<" + name + map[bool]string{true: ` scope="row"`}[i == 0] + left[i] + ">" + escape.HTML(shown(c)) + "</" + name + ">")
			}
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table>")
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped above
}
