package report

// What a reader should be warned of that only the figures together show: constant answers, texts in another alphabet, a ranking that other text would
// turn round, calibration in the domain of the test.

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// AllWarnings are the plan's warnings and the report's own.
func (r *Report) AllWarnings() []string {
	var all []string
	if r.Plan != nil {
		all = append(all, r.Plan.Warnings...)
	}
	return append(all, r.Warnings...)
}

// Warn adds to the report's warnings those that its figures ask for, each once.
func (r *Report) Warn() {
	for _, warnings := range [][]string{r.rankingWarnings(), r.answerWarnings(), r.fluencyWarnings(), r.driftWarnings(), r.domainWarnings()} {
		for _, warning := range warnings {
			if !slices.Contains(r.Warnings, warning) {
				r.Warnings = append(r.Warnings, warning)
			}
		}
	}
}

// rankingWarnings are about the ranking that chose.
func (r *Report) rankingWarnings() []string {
	if r.Plan == nil {
		return nil
	}
	s, measured := r.Scores[r.Plan.Metric]
	if !measured || !isFinite(float64(s.Tau)) || s.Tau >= unstable || len(s.Low) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("the ranking is unstable: %s of the even and of the odd sequences order the layers differently (Kendall's τ "+
		"%.2f); measure on more text",
		r.label(r.Plan.Metric), float64(s.Tau))}
}

// answerWarnings name constant answers.
func (r *Report) answerWarnings() []string {
	var all []string
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if t.Answers == nil {
			continue
		}
		for _, model := range []struct{ name, answer string }{{"dense", t.Answers.ConstantDense}, {"pruned", t.Answers.ConstantPruned}} {
			if model.answer != "" {
				all = append(all, fmt.Sprintf("%s: the %s model answers nearly everything with %s: its accuracy there is the share of the questions for "+
					"which that is right",
					t.Name, model.name, model.answer))
			}
		}
	}
	if s := r.Sweep; s != nil {
		of := map[string][]string{}
		var order []string
		for _, p := range s.Points {
			for _, t := range p.Tasks {
				if t.Constant == "" {
					continue
				}
				what := fmt.Sprintf("%s is answered with %s nearly throughout", t.Name, t.Constant)
				if of[what] == nil {
					order = append(order, what)
				}
				of[what] = append(of[what], fmt.Sprintf("%s %d", p.Metric, p.Count))
			}
		}
		for _, what := range order {
			all = append(all, fmt.Sprintf("%s by the sets of %s: their accuracy there is the share of the questions for which that is right", what,
				named(of[what], inSentence)))
		}
	}
	return all
}

const (
	// drifted is how much of the letters, or of the texts, may change their script before it is said.
	drifted = 0.1
	// repeating is the share of runs of four tokens said before from which a text goes round in circles.
	repeating = 0.5
)

// fluencyWarnings are about the texts that the models made.
func (r *Report) fluencyWarnings() []string {
	f := r.Fluency
	if f == nil || f.Pruned == nil || f.Dense.Texts == 0 {
		return nil
	}
	var all []string
	if drift := f.Drift(); drift > drifted || f.Pruned.OtherScript > f.Dense.OtherScript+drifted {
		all = append(all, fmt.Sprintf("language drift: %.0f %% of what the pruned model writes is in other scripts than the dense model's", 100*drift))
	}
	if f.Pruned.Repeats >= repeating && f.Dense.Repeats < repeating/2 {
		all = append(all, fmt.Sprintf("the pruned model goes round in circles: %.0f %% of the runs of four tokens that it writes stood in the same "+
			"text before, %.0f %% of the dense model's",
			100*f.Pruned.Repeats, 100*f.Dense.Repeats))
	}
	return all
}

// driftWarnings name the sets of a sweep that write in another alphabet.
func (r *Report) driftWarnings() []string {
	if r.Sweep == nil || r.Sweep.Dense == nil || r.Sweep.Dense.Fluency == nil {
		return nil
	}
	var sets []string
	for _, p := range r.Sweep.Points {
		if p.Fluency != nil && (&Fluencies{*r.Sweep.Dense.Fluency, p.Fluency}).Drift() > drifted {
			sets = append(sets, fmt.Sprintf("%s %d", p.Metric, p.Count))
		}
	}
	if len(sets) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("language drift: more than a tenth of what is written by the sets of %s is in other scripts than the dense model's",
		named(sets, inSentence))}
}

// Drift is how much of the letters went to other scripts: half the sum of the differences between the two models' shares, 0 to 1.
func (f *Fluencies) Drift() float64 {
	if f.Pruned == nil || len(f.Dense.Scripts) == 0 || len(f.Pruned.Scripts) == 0 {
		return 0
	}
	gained := 0.0
	for script, share := range f.Pruned.Scripts {
		gained += max(0, share-f.Dense.Scripts[script])
	}
	return gained
}

// kinds are texts that tasks are made of beside those that bear their name.
var kinds = map[string][]string{"wikitext": {"wikitext", "chunk-", "llamacpp-"}, "demo": {"small_world"}}

// domainWarnings say which tasks are of the kind of text that was measured on.
func (r *Report) domainWarnings() []string {
	if r.Calibration == nil {
		return nil
	}
	var sources []string
	for _, source := range strings.Split(r.Calibration.Source, ", ") {
		// A file is of the kind that its folder or its name tells of.
		sources = append(sources, strings.ToLower(filepath.Base(source)), strings.ToLower(filepath.Base(filepath.Dir(source))))
	}
	of := func(task string) bool {
		for _, source := range sources {
			if len(task) > 3 && strings.HasPrefix(source, task) {
				return true
			}
			for kind, prefixes := range kinds {
				if strings.HasPrefix(source, kind) && slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(task, prefix) }) {
					return true
				}
			}
		}
		return false
	}
	var names []string
	for i := range r.Tasks {
		if of(r.Tasks[i].Name) {
			names = append(names, r.Tasks[i].Name)
		}
	}
	if r.Sweep != nil && len(r.Tasks) == 0 && len(r.Sweep.Points) > 0 {
		for _, t := range r.Sweep.Points[0].Tasks {
			if of(t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("calibration in the domain of the test: what was measured on is text of the kind of %s; on other text the "+
		"pruned model may keep less",
		named(names, inSentence))}
}
