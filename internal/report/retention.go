package report

// What was kept over all tasks: which tasks count, the means over them, and the sentence that says so.

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/bench"

	"gonum.org/v1/gonum/stat"
)

// standing says whether a task counts in what was kept, and if not, why.
type standing int

const (
	counted   standing = iota
	atChance           // the dense model does no better than guessing, so that nothing could be lost
	undefined          // there is no number: the dense model scored nothing
)

// AtChance says whether the dense model does no better than guessing (bench.AgainstChance).
func (t *Task) AtChance() bool {
	return t.Chance > 0 && !bench.AgainstChance(float64(t.Dense.Value), t.N, t.Chance).Above()
}

// AtChance says the same of the dense model's figure in a sweep.
func (t *TaskPoint) AtChance() bool {
	return t.Chance > 0 && !bench.AgainstChance(float64(t.Value), t.N, t.Chance).Above()
}

func (t *Task) standing() standing {
	switch {
	case !isFinite(float64(t.Retention)):
		return undefined
	case t.AtChance():
		return atChance
	}
	return counted
}

// notAbove is why a task does not count.
const notAbove = "the dense model is not above chance"

// Kept says in a few words what a pruned model kept of a task.
func (t *Task) Kept() string {
	switch {
	case t.Change == nil:
		return ""
	case t.standing() == atChance:
		return Percent(t.Retention) + " (" + notAbove + ")"
	}
	return Percent(t.Retention)
}

// Means averages what was kept of the tasks that count: not of those without a defined retention, nor of those at which the dense model is at
// chance, nor of perplexities where there are accuracies. A mean over no task is NaN.
func (ts Tasks) Means() *Retention {
	var ratios, corrected, dense, pruned []float64
	for _, t := range ts.averaged() {
		ratios = append(ratios, float64(t.Retention))
		if v := float64(t.ChanceCorrected); !math.IsNaN(v) {
			corrected = append(corrected, v)
		}
		if t.Convention == "" {
			dense, pruned = append(dense, float64(t.Dense.Value)), append(pruned, float64(t.Pruned.Value))
		}
	}
	return &Retention{MeanOfRatios: avss.Value(stat.Mean(ratios, nil)), MeanOfCorrected: avss.Value(stat.Mean(corrected, nil)),
		RatioOfMeans: avss.Value(stat.Mean(pruned, nil) / stat.Mean(dense, nil))}
}

// averaged are the tasks that the means are over. Perplexities name their convention.
func (ts Tasks) averaged() []*Task {
	accuracies := slices.ContainsFunc(ts, func(t Task) bool { return t.Convention == "" })
	var all []*Task
	for i := range ts {
		if t := &ts[i]; t.Change != nil && t.standing() == counted && (t.Convention == "") == accuracies {
			all = append(all, t)
		}
	}
	return all
}

// means are the means over the tasks where there are any, else what the report says.
func (r *Report) means() *Retention {
	if len(r.Tasks) == 0 || r.Tasks[0].Change == nil {
		return r.Retention
	}
	means := r.Tasks.Means()
	if k := r.Retention; k != nil && *k != (Retention{}) && sameMean(k.MeanOfRatios, means.MeanOfRatios) && sameMean(k.MeanOfCorrected,
		means.MeanOfCorrected) {
		means.RatiosSpan, means.CorrectedSpan = k.RatiosSpan, k.CorrectedSpan
	}
	return means
}

// sameMean says whether two means are over the same tasks: an interval of the one is then the other's.
func sameMean(a, b avss.Value) bool {
	return math.Abs(float64(a)-float64(b)) < 1e-9 || math.IsNaN(float64(a)) && math.IsNaN(float64(b))
}

// How many names a sentence and a note list.
const (
	inSentence = 5
	inNote     = 100
)

// named lists names, the first few of many.
func named(names []string, most int) string {
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// tasksOf are the names of the tasks with a standing.
func (ts Tasks) tasksOf(s standing) []string {
	var names []string
	for i := range ts {
		if ts[i].Change != nil && ts[i].standing() == s {
			names = append(names, ts[i].Name)
		}
	}
	return names
}

// notCounted says which tasks do not count, and why, with at most so many names for each reason; empty where all count.
func (ts Tasks) notCounted(most int) string {
	var reasons []string
	if names := ts.tasksOf(atChance); len(names) > 0 {
		reasons = append(reasons, named(names, most)+" ("+notAbove+")")
	}
	if names := ts.tasksOf(undefined); len(names) > 0 {
		reasons = append(reasons, named(names, most)+" (retention is undefined)")
	}
	if len(reasons) == 0 {
		return ""
	}
	return "Not counted: " + strings.Join(reasons, "; ") + "."
}

// Warnings say which tasks tell nothing of what was kept, so that whoever reads one number alone is told.
func (ts Tasks) Warnings() []string {
	var all []string
	for _, w := range []struct {
		of  standing
		why string
	}{{atChance, "the dense model does no better than guessing (exact binomial test, one-sided, 5 %), so that what the pruned one does there is " +
		"not counted"}, {undefined, "retention is undefined, as the dense model scored nothing"}} {
		if names := ts.tasksOf(w.of); len(names) > 0 {
			all = append(all, fmt.Sprintf("%s: %s", named(names, inSentence), w.why))
		}
	}
	return all
}
