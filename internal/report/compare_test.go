package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/prune"

	"github.com/google/go-cmp/cmp"
)

// two reports of one model that chose and measured otherwise.
func pairOfReports() (a, b *Report) {
	a, b = sample(6), sample(6)
	a.Plan = &prune.Plan{Metric: "avss", Rule: "50%", Dropped: []int{1, 2, 3}, Kept: []int{0, 4, 5}}
	b.Plan = &prune.Plan{Metric: "bi", Rule: "2", Dropped: []int{3, 5}, Kept: []int{0, 1, 2, 4}}
	b.Divergence = &Divergence{KL: 0.25, SameTop: 0.9, Tokens: 12}
	return a, b
}

func TestComparison(t *testing.T) {
	a, b := pairOfReports()
	values := b.Scores["bi"]
	reversed := avss.Values{}
	for l := range values.Values {
		reversed = append(reversed, -a.Scores["bi"].Values[l])
	}
	values.Values = reversed
	b.Scores["bi"] = values
	delete(b.Scores, "l2")
	c := Compare(a, b)
	want := &PlanPair{Both: []int{3}, OnlyA: []int{1, 2}, OnlyB: []int{5}}
	if diff := cmp.Diff(want, c.Plan); diff != "" {
		t.Error(diff)
	}
	found := map[string]ScorePair{}
	for _, s := range c.Scores {
		found[s.Key] = s
	}
	if s := found["bi"]; s.Spearman != -1 || s.Kendall != -1 {
		t.Errorf("reversed scores: %+v", s)
	}
	if s := found["avss"]; s.Spearman != 1 || s.Kendall != 1 {
		t.Errorf("the same scores: %+v", s)
	}
	for _, f := range c.Figures {
		if f.Key == "kl" && (f.A != 0.5 || f.B != 0.25) || f.Key == "layers_dropped" && (f.A != 3 || f.B != 2) {
			t.Errorf("%+v", f)
		}
	}
	if len(c.Cautions) != 0 {
		t.Errorf("cautions of the same model, text and tasks: %q", c.Cautions)
	}
	var out strings.Builder
	if err := c.Terminal(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if len([]rune(line)) > lineWidth {
			t.Errorf("too wide: %s", line)
		}
	}
	if _, err := json.Marshal(c); err != nil {
		t.Error(err)
	}
}

// Whatever makes figures mean different things is said.
func TestComparisonWarns(t *testing.T) {
	for name, change := range map[string]func(*Report){
		"models are not the same": func(r *Report) { r.Model.SHA256 = "other" },
		"calibration texts":       func(r *Report) { r.Calibration.SHA256 = "other" },
		"zeta was not asked":      func(r *Report) { r.Tasks[0].Version = "2" },
		"alpha was not asked":     func(r *Report) { r.Tasks[1].Convention = "chunk-512" },
		"items":                   func(r *Report) { r.Tasks[0].N = 8 },
		"4 examples":              func(r *Report) { r.Tasks[0].FewShot = 4 },
		"which do not compare":    func(r *Report) { s := r.Scores["avss"]; s.Values = append(s.Values, 1); r.Scores["avss"] = s },
		"as a chat":               func(r *Report) { r.Tasks[0].Chat = true },
	} {
		a, b := pairOfReports()
		change(b)
		c := Compare(a, b)
		if len(c.Cautions) != 1 || !strings.Contains(c.Cautions[0], name) {
			t.Errorf("%q, want one about %q", c.Cautions, name)
		}
	}
}

// Layers and halves of layers meet in halves; what one report lacks is left empty.
func TestComparisonOfUnlikeReports(t *testing.T) {
	a, b := pairOfReports()
	b.Plan = &prune.Plan{Unit: prune.Sublayer, Rule: "3", Dropped: []int{2, 3, 4}}
	c := Compare(a, b)
	want := &PlanPair{Unit: prune.Sublayer, Both: []int{2, 3, 4}, OnlyA: []int{5, 6, 7}, OnlyB: []int{}}
	if diff := cmp.Diff(want, c.Plan); diff != "" {
		t.Error(diff)
	}
	bare := &Report{Schema: Schema, Model: a.Model}
	c = Compare(a, bare)
	if c.Plan != nil || len(c.Scores) != 0 || len(c.Only[0]) != len(a.Scores) || len(c.Tasks) != len(a.Tasks) {
		t.Errorf("%+v", c)
	}
	for _, task := range c.Tasks {
		if !math.IsNaN(float64(task.DenseB)) || math.IsNaN(float64(task.DenseA)) {
			t.Errorf("%+v", task)
		}
	}
	if err := c.Terminal(&strings.Builder{}); err != nil {
		t.Error(err)
	}
}
