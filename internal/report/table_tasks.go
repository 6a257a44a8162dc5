package report

import (
	"fmt"

	"avssnative/bench"
)

// taskTable is the figures of each task, what matters most in front: where there is room for it, all that stands in one line. What its metric
// means exactly stands below: it is too long for a column.
func (r *Report) taskTable() (Table, bool) {
	if len(r.Tasks) == 0 {
		return Table{}, false
	}
	compared := r.Tasks[0].Pruned != nil
	t := Table{Title: "Tasks", Note: "± one standard error."}
	t.column("task", "task")
	if compared {
		t.column("dense", "dense", figureParts...)
		t.column("pruned", "pruned", figureParts...)
		t.column("retention", "retention", keptParts...)
		t.column("p", "p")
		t.Note = "± one standard error. Retention: pruned/dense for accuracies, dense/pruned for perplexities; in brackets 95 % of a bootstrap " +
			"over items. p: two-sided paired test " +
			"(McNemar for accuracies, paired bootstrap for perplexities)."
	} else {
		t.column("value", "value", figureParts...)
	}
	t.column("metric", "metric")
	t.column("n", "n")
	for i := range r.Tasks {
		task := &r.Tasks[i]
		cells := []Cell{Text(task.Name), task.Dense}
		if compared {
			cells = append(cells, *task.Pruned, Kept{Share(task.Retention), task.RetentionSpan}, Probability(task.P))
		}
		t.add(append(cells, Text(task.Metric), Count(task.N))...)
	}
	t.Notes = r.Tasks.notes()
	if left := r.Tasks.notCounted(inNote); left != "" {
		t.Notes = append(t.Notes, left)
	}
	return t, true
}

// notes says what must be known of the tasks' figures, each thing once with the tasks that it is true of.
func (ts Tasks) notes() []string {
	var order []string
	about := map[string][]string{}
	say := func(name, what string) {
		if about[what] == nil {
			order = append(order, what)
		}
		about[what] = append(about[what], name)
	}
	for _, task := range ts {
		if task.Convention != "" {
			say(task.Name, fmt.Sprintf("%s is by the convention %q.", task.Metric, task.Convention))
		}
		if task.Note != "" {
			say(task.Name, task.Note)
		}
	}
	notes := make([]string, len(order))
	for i, what := range order {
		notes[i] = named(about[what], inNote) + ": " + what
	}
	return notes
}

// wordsTable is what right answers alone hide.
func (r *Report) wordsTable() (Table, bool) {
	if len(r.Tasks) == 0 || r.Tasks[0].Pruned == nil {
		return Table{}, false
	}
	t := Table{Title: "What accuracy alone hides",
		Note: "Beyond chance: what guessing gives is taken off both models' accuracy. Dense at least: the lower end of the one-sided 95 % interval " +
			"(Clopper-Pearson); where it is not above guessing the task does not count. KL(dense ‖ pruned) and the share of the same most likely token " +
			"are means over scored tokens. Answers changed: the share of items that both answer differently, right or wrong."}
	t.column("task", "task")
	t.column("by_guessing", "by guessing")
	t.column("dense_at_least", "dense at least")
	t.column("retention_beyond_chance", "retention beyond chance", keptParts...)
	t.column("kl_nats_per_token", "KL, nats a token")
	t.column("same_top_token", "same top token")
	t.column("answers_changed", "answers changed")
	for _, task := range r.Tasks {
		guess := Share(task.Chance)
		if task.Chance <= 0 {
			guess = Share(nan)
		}
		kl, same := Cell(Number{Value: task.KL, Places: 4}), Cell(Share(task.SameTop))
		if task.KL == 0 && task.SameTop == 0 {
			kl, same = nil, nil // no tokens were compared: the models answered in their own words
		}
		least := Share(nan)
		if task.Chance > 0 {
			least = Share(bench.AgainstChance(float64(task.Dense.Value), task.N, task.Chance).Low)
		}
		t.add(Text(task.Name), guess, least, Kept{Share(task.ChanceCorrected), task.CorrectedSpan}, kl, same, Share(task.Flips))
	}
	return t, true
}
