package report

import (
	"strings"
	"testing"

	"avssnative/avss"
)

// A metric that nobody registered here is shown everywhere with its unit, its direction and its paper, from data alone.
func TestOwnMetric(t *testing.T) {
	r := sample(6)
	s := r.Scores["bi"]
	s.Metric = "mine"
	r.Scores["mine"] = s
	paper := avss.Citation{Authors: "Doe", Year: 2026, Title: "Mine"}
	r.Metrics = map[string]Metric{"mine": {Label: "My metric", Unit: "bit", HighestFirst: true, Papers: []avss.Citation{paper}}}
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if r, err = Parse(data); err != nil {
		t.Fatal(err)
	}
	for name, render := range forms(r) {
		out := strings.Join(strings.Fields(rendered(t, render)), " ")
		want := []string{"My metric, bit", "Of My metric the highest do", "My metric"}
		switch name {
		case "csv":
			want = []string{"mine", "mine_low,mine_high"}
		case "text":
			want = []string{"My metric", "Of My metric the highest do"}
		default:
			want = append(want, "Doe (2026): Mine.")
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s lacks %q", name, w)
			}
		}
	}
	// Scores that rise with depth are no trap where the highest go first.
	if _, does := r.trapped("mine"); does {
		t.Error("the deepest layers first is no depth trap")
	}
	pictures, err := r.Pictures()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		if p.Name == "scores-mine" {
			svg, err := p.SVG()
			if err != nil || !strings.Contains(svg, "score, bit (highest goes first)") || !strings.Contains(svg, "My metric") {
				t.Errorf("the picture lacks the unit, %v", err)
			}
			return
		}
	}
	t.Error("no picture of the metric")
}
