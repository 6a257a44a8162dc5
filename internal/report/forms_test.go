package report

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// forms are the ways to render a report.
func forms(r *Report) map[string]func(io.Writer) error {
	return map[string]func(io.Writer) error{"text": r.Terminal, "md": r.Markdown, "csv": r.CSV, "html": r.HTML}
}

// Every form renders every report, however little it holds, and holds what it says.
func TestForms(t *testing.T) {
	reports := []*Report{{Schema: Schema}, sample(1), sample(2), sample(16), sample(200)}
	alone := sample(4)
	alone.Tasks[0].Pruned, alone.Tasks[0].Change, alone.Tasks[1].Pruned, alone.Tasks[1].Change = nil, nil, nil, nil
	alone.Plan, alone.Retention, alone.Sweep = nil, nil, nil
	alone.Generation[0].Pruned = nil
	for i, r := range append(reports, alone) {
		for name, render := range forms(r) {
			var b bytes.Buffer
			if err := render(&b); err != nil {
				t.Fatalf("report %d, %s: %v", i, name, err)
			}
			out := b.String()
			if !utf8.ValidString(out) || strings.Contains(out, "NaN") || strings.Contains(out, "%!") {
				t.Errorf("report %d, %s: %.400q", i, name, out)
			}
			if name == "html" && r.Model.Ref != "" && (strings.Contains(out, "<b>&model") || !strings.Contains(out, "a &lt;b&gt;&amp;model")) {
				t.Errorf("report %d: the model's name is not escaped", i)
			}
		}
		pictures, err := r.Pictures()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pictures {
			svg, err := p.SVG()
			if err != nil || !strings.HasPrefix(svg, "<svg") {
				t.Errorf("report %d, %s: %.40s, %v", i, p.Name, svg, err)
			}
			if i == 3 {
				if data, err := p.PNG(); err != nil || !bytes.HasPrefix(data, []byte("\x89PNG")) {
					t.Errorf("%s: %v", p.Name, err)
				}
			}
		}
	}
	var names []string
	pictures, err := sample(16).Pictures()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		names = append(names, p.Name)
	}
	want := []string{"retention", "sweep-retention", "sweep-perplexity", "sweep-divergence", "scores-avss", "scores-avss-paper-block", "scores-bi",
		"variance", "sparsity", "raw-variance"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
}

func TestTerminalSays(t *testing.T) {
	var b bytes.Buffer
	if err := sample(16).Terminal(&b); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	for _, want := range []string{"a <b>&model can do without layer 0 (1 of 16, chosen by AVSS robust, delta).",
		"The cost: perplexity of alpha from 12 to 0.5, 0.04167 times", "not counted: zeta (retention is undefined).", "dense in Q8_0",
		`zeta "yes"`, "constant answer", "Next: avssnative generate --model=pruned",
		"Warning: layer 0 goes", "Warning: mind the gap",
		"The depth trap", "bi (1.000)", "15 of 16 scores are infinite", "NAVSS",
		"split-half τ", "Not counted: zeta (retention is undefined).",
		"word_perplexity is by the convention \"chunk-2048\"", "< 0.001"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the text lacks %q", want)
		}
	}
	for _, line := range strings.Split(out, "\n") {
		if n := utf8.RuneCountInString(line); n > lineWidth && !strings.HasPrefix(line, "Next: ") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if strings.Index(out, "retention beyond chance") > strings.Index(out, "parameters  ") {
		t.Error("retention does not stand first")
	}
}
