package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"avssnative/prune"
)

// evil does harm in every form that does not escape it.
const evil = "=1\x1b[31m\x07<b>|[x](http://a.b)\n# `x` \u202e../../OUTSIDE\xff"

// changed gives a report's JSON to change, and reads what comes of it.
func changed(t *testing.T, r *Report, change func(root map[string]any)) (*Report, error) {
	t.Helper()
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	change(root)
	if data, err = json.Marshal(root); err != nil {
		t.Fatal(err)
	}
	return Parse(data)
}

// poison puts evil into every text below a value; keys of objects that name tasks, scores and phases are texts too.
func poison(v any, named bool) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, below := range v {
			name := key
			if named {
				name = evil + key
			}
			if key == "created" || key == "index" {
				out[name] = below
				continue
			}
			out[name] = poison(below, key == "tasks" || key == "scores" || key == "seconds" || key == "metrics")
		}
		return out
	case []any:
		for i := range v {
			v[i] = poison(v[i], false)
		}
	case string:
		if v != "inf" && v != "-inf" {
			return evil + v
		}
	}
	return v
}

func poisoned(t *testing.T) *Report {
	t.Helper()
	clean := sample(4)
	clean.Metrics = map[string]Metric{"bi": {Unit: "bit"}}
	r, err := changed(t, clean, func(root map[string]any) {
		for key, v := range root {
			if key == "created" {
				continue
			}
			root[key] = poison(v, key == "tasks" || key == "scores" || key == "metrics")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rendered(t *testing.T, render func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := render(&b); err != nil {
		t.Fatal(err)
	}
	page := strings.HasPrefix(b.String(), "<!doctype html>") // its pictures hold tabs of the library
	for _, r := range b.String() {
		if !unicode.IsGraphic(r) && r != '\n' && r != '\u2060' && !(page && r == '\t') {
			t.Fatalf("%q came through", r)
		}
	}
	return b.String()
}

func TestTextOfFilesOnATerminal(t *testing.T) {
	out := rendered(t, poisoned(t).Terminal)
	if !strings.Contains(out, `\x1b[31m\x07`) {
		t.Error("what cannot be seen is not shown")
	}
}

func TestTextOfFilesInMarkdown(t *testing.T) {
	out := rendered(t, poisoned(t).Markdown)
	for _, line := range strings.Split(out, "\n") {
		for _, sign := range []string{"<", "[", "]", "`", "http:/"} {
			if strings.Contains(strings.ReplaceAll(line, `\`+sign, ""), sign) {
				t.Errorf("%q in %q", sign, line)
			}
		}
	}
	for _, table := range regexp.MustCompile(`(?m)(^\|.*\n)+`).FindAllString(out, -1) {
		lines := strings.Split(strings.TrimSpace(table), "\n")
		for _, line := range lines {
			if n, want := columnsOf(line), columnsOf(lines[0]); n != want {
				t.Errorf("%d columns instead of %d: %q", n, want, line)
			}
		}
	}
}

// columnsOf counts what parts the cells of a line of Markdown: | that is not escaped.
func columnsOf(line string) int {
	n, escaped := 0, false
	for _, r := range line {
		if r == '|' && !escaped {
			n++
		}
		escaped = !escaped && r == '\\'
	}
	return n
}

// sections are the tables of a CSV form by title.
func sections(t *testing.T, r *Report) map[string][][]string {
	t.Helper()
	out := map[string][][]string{}
	for _, section := range strings.Split(rendered(t, r.CSV), "\n\n") {
		title, body, _ := strings.Cut(section, "\n")
		records, err := csv.NewReader(strings.NewReader(body)).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", title, err)
		}
		out[strings.TrimPrefix(title, "# ")] = records
	}
	return out
}

func TestTextOfFilesInCSV(t *testing.T) {
	for title, records := range sections(t, poisoned(t)) {
		for i, record := range records {
			for _, cell := range record {
				if i == 0 && !regexp.MustCompile(`^[a-z0-9_]+$`).MatchString(cell) {
					t.Errorf("%s: column %q", title, cell)
				}
				if number := regexp.MustCompile(`^-?([0-9]|inf$)`).MatchString(cell); !number && cell != "" && strings.ContainsAny(cell[:1], "=+-@") {
					t.Errorf("%s: %q", title, cell)
				}
			}
		}
	}
}

func TestTextOfFilesOnThePage(t *testing.T) {
	out := rendered(t, poisoned(t).HTML)
	if strings.Contains(out, "<b>|") || !strings.Contains(out, "&lt;b&gt;|") {
		t.Error("a tag came through")
	}
}

// The names of pictures are made of safe signs, whatever the keys are, and no two are the same.
func TestNamesOfPictures(t *testing.T) {
	r := sample(4)
	for _, key := range []string{"x/../../OUTSIDE", "X/OUTSIDE", "..", "", "con", strings.Repeat("long", 100), "é", evil} {
		r.Scores[key] = r.Scores["bi"]
	}
	pictures, err := r.Pictures()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range pictures {
		if !regexp.MustCompile(`^[a-z0-9-]{1,64}$`).MatchString(p.Name) || seen[p.Name] {
			t.Errorf("a picture is called %q", p.Name)
		}
		seen[p.Name] = true
	}
	if len(seen) != 18 {
		t.Errorf("%d pictures", len(seen))
	}
}

// numbersOf calls visit with a setter for every number below a value.
func numbersOf(v any, path []string, visit func(path []string, set func(any))) {
	each := func(name string, below any, set func(any)) {
		at := append(path[:len(path):len(path)], name)
		if _, is := below.(float64); is {
			visit(at, set)
			return
		}
		numbersOf(below, at, visit)
	}
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			each(key, below, func(n any) { v[key] = n })
		}
	case []any:
		for i, below := range v {
			each(fmt.Sprint(i), below, func(n any) { v[i] = n })
		}
	}
}

// Every number of a report may be anything: either the error names its field, or every form shows the report without a word like NaN.
func TestEveryNumberMayBeAnything(t *testing.T) {
	var places [][]string
	_, err := changed(t, sample(2), func(root map[string]any) {
		numbersOf(root, nil, func(path []string, _ func(any)) { places = append(places, path) })
	})
	if err != nil || len(places) < 100 {
		t.Fatalf("%d numbers, %v", len(places), err)
	}
	refused := 0
	for i, place := range places {
		if testing.Short() && i%4 != 0 {
			continue
		}
		for _, value := range []any{-1.0, 1e308, -1e308, math.Pow(2, 63), 0.5, nil, "inf", "-inf", "NaN"} {
			r, err := changed(t, sample(2), func(root map[string]any) {
				numbersOf(root, nil, func(path []string, set func(any)) {
					if strings.Join(path, "/") == strings.Join(place, "/") {
						set(value)
					}
				})
			})
			if err != nil {
				refused++
				if value != "NaN" && !namesField(err.Error(), place) {
					t.Errorf("%v = %v: %v", place, value, err)
				}
				continue
			}
			for _, render := range []func(io.Writer) error{r.Terminal, r.Markdown, r.CSV} {
				if out := rendered(t, render); strings.Contains(out, "NaN") || strings.Contains(out, "%!") {
					t.Errorf("%v = %v: a form says NaN", place, value)
				}
			}
			if _, err := r.Pictures(); err != nil {
				t.Errorf("%v = %v: %v", place, value, err)
			}
		}
	}
	if refused < len(places)/4 {
		t.Errorf("of %d numbers, %d values were refused", len(places), refused)
	}
}

// namesField says whether an error names a part of the place of a number that is no index.
func namesField(text string, place []string) bool {
	for _, name := range place {
		if len(name) > 1 && strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// Counts of things are bounded before anything is made of them.
func TestAbsurdCountsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Report){
		"model.layers":      func(r *Report) { r.Model.Layers = 1 << 40 },
		"tasks: ":           func(r *Report) { r.Tasks = make(Tasks, maxTasks+1) },
		"others: ":          func(r *Report) { r.Others = append(r.Others, make([]prune.Plan, maxRankings)...) },
		"sweep.layers":      func(r *Report) { r.Sweep.Layers = 1 << 40 },
		"sweep.points: ":    func(r *Report) { r.Sweep.Points = append(r.Sweep.Points, make([]SweepPoint, maxPoints)...) },
		"agreement_metrics": func(r *Report) { r.Sweep.Metrics = make([]string, maxRankings+1) },
	} {
		r := sample(4)
		change(r)
		if err := r.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
