package job

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/internal/report"
	"avssnative/prune"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// textFiles are two texts that are nothing alike.
func textFiles(t *testing.T) []string {
	t.Helper()
	other := filepath.Join(t.TempDir(), "other.txt")
	lines := strings.Repeat("{ \"id\": 17, \"x\": [0.25, 1e-9] };\nSELECT a FROM b WHERE c > 12;\n", 40)
	if err := os.WriteFile(other, []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{calib.Demo, other}
}

func sideBySide(t *testing.T, metrics ...string) *Job {
	t.Helper()
	j := open(t, demoModel())
	if err := j.Calibrate(t.Context(), calib.Options{Files: textFiles(t), Tokens: 800, Length: 48}); err != nil {
		t.Fatal(err)
	}
	if err := j.Score(t.Context(), Scoring{Metrics: metrics}); err != nil {
		t.Fatal(err)
	}
	return j
}

// scoredAlone scores some sequences as if they were all of the calibration text.
func (j *Job) scoredAlone(t *testing.T, sequences []engine.Sequence, metrics ...string) map[string]avss.Scores {
	t.Helper()
	other := open(t, demoModel())
	other.calibration = sequences
	if err := other.Score(t.Context(), Scoring{Metrics: metrics}); err != nil {
		t.Fatal(err)
	}
	return other.Report.Scores
}

// One pass gives the scores of all texts together, to the bit, and of each one as its even sequences alone are scored.
func TestTextsAreScoredInOnePass(t *testing.T) {
	j := sideBySide(t, "kl")
	values := cmp.Options{cmpopts.EquateNaNs(), cmp.Comparer(func(a, b avss.Value) bool { return a == b || a != a && b != b })}
	if diff := cmp.Diff(j.scoredAlone(t, j.calibration, "kl"), j.Report.Scores, values); diff != "" {
		t.Errorf("all texts together: %s", diff)
	}
	for text := range j.texts.Parts {
		var own []engine.Sequence
		for i, s := range j.calibration {
			if j.texts.Of[i] == text && i%2 == 0 {
				own = append(own, s)
			}
		}
		alone := j.scoredAlone(t, own, "kl")
		if len(j.byText[text]) != len(alone) {
			t.Errorf("text %d: %d scores, want %d", text, len(j.byText[text]), len(alone))
		}
		for _, scores := range j.byText[text] {
			if scores.Mode == string(avss.Reference) {
				continue // whose batches are of sequences by number
			}
			if diff := cmp.Diff(alone[scores.Key()].Values, scores.Values, values); diff != "" {
				t.Errorf("text %d, %s: %s", text, scores.Key(), diff)
			}
		}
	}
}

// What a set costs on a text is what a pass says; the best is the least of the worst; the plan follows it where that is asked for, and nothing that
// has chosen is judged by.
func TestSetsOfTextsAreMeasuredOnEveryText(t *testing.T) {
	for _, unit := range []string{"", prune.Sublayer} {
		j := open(t, demoModel())
		j.Unit = unit
		if err := j.Calibrate(t.Context(), calib.Options{Files: textFiles(t), Tokens: 800, Length: 48}); err != nil {
			t.Fatal(err)
		}
		if err := j.Score(t.Context(), Scoring{}); err != nil {
			t.Fatal(err)
		}
		choice := quarter(t)
		choice.Metric, choice.Worst = "avss-paper-mlp", true
		if unit == prune.Sublayer {
			choice.Metric = "avss-paper-block"
		}
		if err := j.CompareTexts(t.Context(), choice, false); err != nil {
			t.Fatal(err)
		}
		texts := j.Report.Texts
		if texts.Best == nil || len(texts.Sets) < 2 || !slices.Contains(texts.Sets[0].By, report.AllTexts) {
			t.Fatalf("unit %q: %+v", unit, texts)
		}
		least := math.Inf(1)
		for _, set := range texts.Sets {
			drop := engine.Layers(set.Dropped...)
			if unit == prune.Sublayer {
				drop = engine.Halves(set.Dropped...)
			}
			outcome, err := j.Model.Run(t.Context(), engine.Pass{Sequences: scored(j.calibration), Variants: []engine.Drop{nil, drop}, Diverge: true})
			if err != nil {
				t.Fatal(err)
			}
			kl, tokens := make([]float64, 2), make([]float64, 2)
			for s := range j.weighing {
				kl[j.texts.Of[s]] += outcome.Scores[1][s].KL
				tokens[j.texts.Of[s]] += float64(outcome.Scores[1][s].Tokens)
			}
			for i := range kl {
				if want := kl[i] / tokens[i]; math.Abs(set.Costs[i]-want) > 1e-5*want || texts.Texts[i].Weighed != int(tokens[i]) {
					t.Errorf("unit %q, %v on text %d: %v nats, want %v; %d tokens, want %v", unit, drop, i, set.Costs[i], want, texts.Texts[i].Weighed, tokens[i])
				}
			}
			if float64(set.Worst) != slices.Max(set.Costs) {
				t.Errorf("%v: the worst of %v is %v", drop, set.Costs, set.Worst)
			}
			least = min(least, float64(set.Worst))
		}
		drop, err := j.Choose(choice)
		if err != nil {
			t.Fatal(err)
		}
		best := texts.Sets[*texts.Best]
		if float64(best.Worst) != least || !slices.Equal(j.Report.Plan.Dropped, best.Dropped) || texts.Chosen != report.ByWorst || len(drop) == 0 {
			t.Errorf("unit %q: dropped %v, of %+v", unit, drop, texts.Sets)
		}
		fit, held := j.halves()
		if len(held) == 0 || len(fit)+len(held)+len(j.weighing) != len(j.calibration) {
			t.Errorf("%d sequences to fit on, %d to judge by, %d have chosen, of %d", len(fit), len(held), len(j.weighing), len(j.calibration))
		}
	}
}

// By themselves all texts choose together, and what judges repairs is left as it is. Gaps are bridged where repairs will be made.
func TestJointChoiceOfTexts(t *testing.T) {
	j := sideBySide(t)
	choice := quarter(t)
	plain, bridged := avss.Value(0), avss.Value(0)
	if err := j.CompareTexts(t.Context(), choice, false); err != nil {
		t.Fatal(err)
	}
	plain = j.Report.Texts.Sets[0].Worst
	if err := j.CompareTexts(t.Context(), choice, true); err != nil {
		t.Fatal(err)
	}
	bridged = j.Report.Texts.Sets[0].Worst
	if _, err := j.Choose(choice); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(j.Report.Plan.Dropped, j.Report.Texts.Sets[0].Dropped) || j.Report.Texts.Chosen != report.ByJoint || j.weighing != nil {
		t.Errorf("plan %v, sets %+v", j.Report.Plan.Dropped, j.Report.Texts.Sets)
	}
	if plain <= 0 || bridged <= 0 || plain == bridged {
		t.Errorf("plain %v, bridged %v", plain, bridged)
	}
	if err := j.CompareTexts(t.Context(), Choice{Metric: "greedy", Rule: choice.Rule}, false); err == nil {
		t.Error("a metric that was not measured was compared")
	}
}

// A text of one sequence cannot both score and be measured on: the others go on, and the choice of the worst case says why not.
func TestATextThatIsTooShortToCompare(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short.txt")
	if err := os.WriteFile(short, []byte("The dog ran."), 0o644); err != nil {
		t.Fatal(err)
	}
	j := open(t, demoModel())
	if err := j.Calibrate(t.Context(), calib.Options{Files: []string{short, calib.Demo}, Tokens: 400, Length: 48}); err != nil {
		t.Fatal(err)
	}
	if err := j.Score(t.Context(), Scoring{}); err != nil {
		t.Fatal(err)
	}
	choice := quarter(t)
	if err := j.CompareTexts(t.Context(), choice, false); err != nil || j.Report.Texts != nil {
		t.Errorf("%v, %+v", err, j.Report.Texts)
	}
	choice.Worst = true
	if err := j.CompareTexts(t.Context(), choice, false); err == nil || !strings.Contains(err.Error(), "has 1 sequences") {
		t.Errorf("%v", err)
	}
	if !slices.ContainsFunc(j.Report.Warnings, func(w string) bool { return strings.Contains(w, "short.txt") }) {
		t.Errorf("warnings %q", j.Report.Warnings)
	}
}
