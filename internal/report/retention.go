package report

// What was kept over all tasks: which tasks count, the means over them, and the sentence that says so.

import (
	"fmt"
	"math"
	"strings"

	"avssnative/avss"
	"avssnative/prune"

	"gonum.org/v1/gonum/stat"
)

// standing says whether a task counts in what was kept, and if not, why.
type standing int

const (
	counted   standing = iota
	atChance           // the dense model does no better than guessing, so that nothing could be lost
	undefined          // there is no number: the dense model scored nothing
)

// AtChance says whether guessing lies within the 95 % interval of the dense model's value.
func (t *Task) AtChance() bool {
	reach := 1.96 * float64(t.Dense.Stderr)
	if !(reach >= 0) {
		reach = 0
	}
	return t.Chance > 0 && math.Abs(float64(t.Dense.Value)-t.Chance) <= reach
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

// Kept says in a few words what a pruned model kept of a task.
func (t *Task) Kept() string {
	switch {
	case t.Change == nil:
		return ""
	case t.standing() == atChance:
		return Percent(t.Retention) + " (the dense model is at chance)"
	}
	return Percent(t.Retention)
}

// Means averages what was kept of the tasks that count: not of those without a defined retention, nor of those at which the dense model is at
// chance. A mean over no task is NaN.
func (ts Tasks) Means() *Retention {
	var ratios, corrected, dense, pruned []float64
	for i := range ts {
		t := &ts[i]
		if t.Change == nil || t.standing() != counted {
			continue
		}
		ratios = append(ratios, float64(t.Retention))
		if v := float64(t.ChanceCorrected); !math.IsNaN(v) {
			corrected = append(corrected, v)
		}
		// Perplexities name their convention; their mean means nothing.
		if t.Convention == "" {
			dense, pruned = append(dense, float64(t.Dense.Value)), append(pruned, float64(t.Pruned.Value))
		}
	}
	return &Retention{avss.Value(stat.Mean(ratios, nil)), avss.Value(stat.Mean(corrected, nil)),
		avss.Value(stat.Mean(pruned, nil) / stat.Mean(dense, nil))}
}

// means are the means over the tasks where there are any, else what the report says.
func (r *Report) means() *Retention {
	if len(r.Tasks) > 0 && r.Tasks[0].Change != nil {
		return r.Tasks.Means()
	}
	return r.Retention
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
		reasons = append(reasons, named(names, most)+" (the dense model is at chance)")
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
	}{{atChance, "the dense model is at chance, so that retention says nothing there"}, {undefined, "retention is undefined, as the dense model scored nothing"}} {
		if names := ts.tasksOf(w.of); len(names) > 0 {
			all = append(all, fmt.Sprintf("%s: %s", named(names, inSentence), w.why))
		}
	}
	return all
}

// verdictLayers is how long the sentence's list of layers may be.
const verdictLayers = 120

// Verdict is what was found, in a sentence; empty where nothing was compared.
func (r *Report) Verdict() string {
	kept := r.means()
	if r.Plan == nil || kept == nil {
		return ""
	}
	dropped := r.Plan.Dropped
	which, all := plural("layer", dropped), fmt.Sprint(r.Model.Layers)
	if r.Plan.Unit == prune.Sublayer {
		which, all = UnitSet(dropped).shown(), fmt.Sprintf("%d halves of layers", 2*r.Model.Layers)
	}
	if len(which) > verdictLayers {
		which = fmt.Sprintf("%d layers", len(dropped))
		if r.Plan.Unit == prune.Sublayer {
			which = fmt.Sprintf("%d halves of layers", len(dropped))
		}
	}
	sentence := fmt.Sprintf("Without %s (%d of %s, %s) the model", which, len(dropped), all, r.chosenBy())
	if n := len(r.Tasks.tasksOf(counted)); isFinite(float64(kept.MeanOfRatios)) {
		sentence += fmt.Sprintf(" keeps %s on %d %s (mean of ratios)", Percent(kept.MeanOfRatios), n, some("task", n))
	} else {
		sentence += " was judged on no task that tells what it keeps"
	}
	if d := r.Divergence; d != nil {
		sentence += fmt.Sprintf("; its next words differ by %.4f nats a token", d.KL)
	}
	sentence += "."
	if left := r.Tasks.notCounted(inSentence); left != "" {
		sentence += " " + left
	}
	return sentence
}

func (r *Report) chosenBy() string {
	if r.Plan.Metric == "" {
		return "named by hand"
	}
	return "chosen by " + r.label(r.Plan.Metric)
}
