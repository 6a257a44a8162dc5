package report

import (
	"strings"
	"testing"

	"avssnative/avss"
)

// Each warning comes where it is due, once however often it is asked for, and not where all is well.
func TestWarn(t *testing.T) {
	well := func() *Report {
		r := sample(8)
		r.Sweep, r.Tasks[0].Answers.ConstantPruned = nil, ""
		for key, s := range r.Scores {
			s.Tau = 0.95
			r.Scores[key] = s
		}
		r.Fluency.Pruned.Scripts, r.Fluency.Pruned.Repeats, r.Fluency.Pruned.OtherScript = map[string]float64{"Latin": 1}, 0.1, 0
		r.Warnings = nil
		return r
	}
	r := well()
	if r.Warn(); len(r.Warnings) > 0 {
		t.Errorf("all is well: %q", r.Warnings)
	}
	for want, spoil := range map[string]func(*Report){
		"unstable": func(r *Report) {
			s := r.Scores["avss"]
			s.Tau = 0.4
			r.Scores["avss"] = s
		},
		`nearly everything with "yes"`: func(r *Report) { r.Tasks[0].Answers.ConstantPruned = `"yes"` },
		"language drift: 25 %":         func(r *Report) { r.Fluency.Pruned.Scripts = map[string]float64{"Latin": 0.75, "Han": 0.25} },
		"round in circles: 80 %":       func(r *Report) { r.Fluency.Pruned.Repeats = 0.8 },
		"of the kind of alpha;":        func(r *Report) { r.Calibration.Source = "/data/alpha/train.jsonl" },
		"kind of wikitext, chunk-512;": func(r *Report) {
			r.Calibration.Source = "text.txt, data/wikitext-2/valid.txt"
			r.Tasks[0].Name, r.Tasks[1].Name = "wikitext", "chunk-512"
		},
	} {
		r := well()
		spoil(r)
		r.Warn()
		r.Warn()
		if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], want) {
			t.Errorf("%q, want one with %q", r.Warnings, want)
		}
	}
	sweep := sample(8)
	sweep.Plan, sweep.Tasks, sweep.Warnings, sweep.Fluency = nil, nil, nil, nil
	sweep.Sweep.Dense.Fluency = &Fluency{Texts: 1, Scripts: map[string]float64{"Latin": 1}}
	sweep.Sweep.Points[1].Fluency = &Fluency{Texts: 1, Scripts: map[string]float64{"Han": 1}}
	sweep.Sweep.Points[1].Tasks = []TaskPoint{{Name: "boolq", Constant: `"yes"`, Value: avss.Value(0.6)}}
	sweep.Warn()
	if all := strings.Join(sweep.Warnings, "\n"); len(sweep.Warnings) != 2 || !strings.Contains(all, `boolq is answered with "yes"`) ||
		!strings.Contains(all, "drift") {
		t.Errorf("%q", sweep.Warnings)
	}
}
