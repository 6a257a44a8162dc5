package report

// The tables a reader sees, as words: what became of the model, its tasks, and the layers that go.

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"avssnative/avss"
)

// Table is a table before it is shown anywhere. A header's line breaks are where it may be broken.
type Table struct {
	Title  string
	Header []string
	Rows   [][]string
	Note   string   // below it
	Notes  []string // below that, one by one
}

// Titles of the tables about single layers and about the run itself.
const (
	titleLayers      = "Layers"
	titleIntervals   = "Intervals of the scores (2.5 to 97.5 %, bootstrap over sequences)"
	titleStability   = "How sure the rankings are"
	titleActivations = "Variance and sparsity by depth"
	titleTime        = "Time"
)

// Tables are all tables the report has something for, in the order a reader wants them.
func (r *Report) Tables() []Table {
	var all []Table
	for _, make := range []func() (Table, bool){r.summaryTable, r.taskTable, r.wordsTable, r.planTable, r.sweepTable, r.sweepPlansTable, r.agreementTable,
		r.layerTable, r.intervalTable, r.stabilityTable, r.activationTable, r.timeTable} {
		if t, has := make(); has {
			all = append(all, t)
		}
	}
	return all
}

func (t *Table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

func (t *Table) note(format string, arguments ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, arguments...))
}

// Verdict is what was found, in a sentence; empty where nothing was compared.
func (r *Report) Verdict() string {
	if r.Plan == nil || r.Retention == nil {
		return ""
	}
	sentence := fmt.Sprintf("Without %s (%d of %d, %s) the model keeps %s on %d %s (mean of ratios)", plural("layer", r.Plan.Dropped),
		len(r.Plan.Dropped), r.Model.Layers, r.chosenBy(), percent(r.Retention.MeanOfRatios), len(r.Tasks), some("task", len(r.Tasks)))
	if d := r.Divergence; d != nil {
		sentence += fmt.Sprintf("; its next words differ by %.4f nats a token", d.KL)
	}
	return sentence + "."
}

func (r *Report) chosenBy() string {
	if r.Plan.Metric == "" {
		return "named by hand"
	}
	return "chosen by " + r.label(r.Plan.Metric)
}

func (r *Report) summaryTable() (Table, bool) {
	t := Table{Title: "What became of the model", Header: []string{"", "whole", "smaller", "kept"}}
	if k := r.Retention; k != nil {
		t.add("retention, mean of the tasks' ratios", "", "", percent(k.MeanOfRatios))
		t.add("retention beyond chance, mean of ratios", "", "", percent(k.MeanOfCorrected))
		t.add("retention, ratio of mean accuracies", "", "", percent(k.RatioOfMeans))
	}
	if d := r.Divergence; d != nil {
		t.add("same most likely token", "", "", percent(avss.Value(d.SameTop)))
		t.add("KL(whole ‖ smaller), nats a token", "", fmt.Sprintf("%.4f", d.KL), "")
	}
	if p := r.Plan; p != nil {
		t.add("layers", fmt.Sprint(r.Model.Layers), fmt.Sprint(len(p.Kept)), share(int64(len(p.Kept)), int64(r.Model.Layers)))
	}
	if s := r.Size; s != nil {
		t.add("parameters", count(s.ParametersDense), count(s.ParametersPruned), share(s.ParametersPruned, s.ParametersDense))
		t.add("weights", size(s.BytesDense), size(s.BytesPruned), share(s.BytesPruned, s.BytesDense))
	}
	if s := r.Speed; s != nil && s.TokensPerSecondDense > 0 {
		pruned, gain := "–", "–"
		if s.TokensPerSecondPruned > 0 {
			pruned, gain = fmt.Sprintf("%.0f", s.TokensPerSecondPruned), percent(avss.Value(s.TokensPerSecondPruned/s.TokensPerSecondDense))
		}
		t.add("tokens/s read", fmt.Sprintf("%.0f", s.TokensPerSecondDense), pruned, gain)
	}
	return t, len(t.Rows) > 0
}

// taskTable is the figures of each task. What its metric means exactly stands below: it is too long for a column.
func (r *Report) taskTable() (Table, bool) {
	if len(r.Tasks) == 0 {
		return Table{}, false
	}
	compared := r.Tasks[0].Pruned != nil
	t := Table{Title: "Tasks", Header: []string{"task", "n", "metric", "value"}, Note: "± one standard error."}
	if compared {
		t.Header = []string{"task", "n", "metric", "whole", "smaller", "retention", "p"}
		t.Note = "± one standard error. Retention: smaller/whole for accuracies, whole/smaller for perplexities. p: two-sided paired test (McNemar for accuracies, paired bootstrap for perplexities)."
	}
	for _, task := range r.Tasks {
		row := []string{task.Name, fmt.Sprint(task.N), task.Metric, task.Dense.String()}
		if compared {
			row = append(row, task.Pruned.String(), percent(task.Retention), probability(task.P))
		}
		t.Rows = append(t.Rows, row)
		if task.Convention != "" {
			t.note("%s: %s is by the convention %q.", task.Name, task.Metric, task.Convention)
		}
		if task.Note != "" {
			t.note("%s: %s", task.Name, task.Note)
		}
	}
	return t, true
}

// wordsTable is what right answers alone hide.
func (r *Report) wordsTable() (Table, bool) {
	if len(r.Tasks) == 0 || r.Tasks[0].Pruned == nil {
		return Table{}, false
	}
	t := Table{Title: "What accuracy alone hides", Header: []string{"task", "by guessing", "retention beyond chance", "KL, nats a token", "same top token"},
		Note: "Beyond chance: what guessing gives is taken off both models' accuracy. KL(whole ‖ smaller) and the share of the same most likely token are means over scored tokens."}
	for _, task := range r.Tasks {
		guess := "–"
		if task.Chance > 0 {
			guess = percent(avss.Value(task.Chance))
		}
		t.add(task.Name, guess, percent(task.ChanceCorrected), fmt.Sprintf("%.4f", task.KL), percent(avss.Value(task.SameTop)))
	}
	return t, true
}

func (r *Report) planTable() (Table, bool) {
	if r.Plan == nil {
		return Table{}, false
	}
	t := Table{Title: "Layers that go", Header: []string{"chosen by", "layers", ""}, Note: "Layers are numbered from 0."}
	t.add(r.label(r.Plan.Metric)+" ("+r.Plan.Rule+")", layers(r.Plan.Dropped), "dropped")
	if len(r.Others) > 0 {
		t.Note += " The first line is what was done; the others are what the other rankings of the same pass would have dropped."
	}
	for _, other := range r.Others {
		same := ""
		if slices.Equal(other.Dropped, r.Plan.Dropped) {
			same = "the same"
		}
		t.add(r.label(other.Metric), layers(other.Dropped), same)
	}
	var follow []string
	for _, key := range r.Keys() {
		if rho, known := r.depth(key); known && rho > depthTrap {
			follow = append(follow, fmt.Sprintf("%s (%.3f)", r.label(key), rho))
		}
	}
	if len(follow) > 0 {
		t.note("The depth trap: scores that rise with depth (Spearman's correlation above %.2f) only say \"the earliest layers first\", and those are what "+
			"a decoder can least do without. Here: %s.", depthTrap, strings.Join(follow, ", "))
	}
	return t, true
}

// depthTrap is the rank correlation with depth from which a ranking says no more than "the first layers first".
const depthTrap = 0.95

// depth is the rank correlation of a ranking with depth; not known of too few layers, of scores that are no numbers, and of rankings by place.
func (r *Report) depth(key string) (float64, bool) {
	s := r.Scores[key]
	if info, err := avss.Lookup(s.Metric); err != nil || info.Kind() == avss.Baseline || len(s.Values) < 4 {
		return 0, false
	}
	place := make([]float64, len(s.Values))
	for layer, v := range s.Values {
		if math.IsNaN(v) {
			return 0, false
		}
		place[layer] = float64(layer)
	}
	return avss.Spearman(s.Values, place), true
}

// Keys are the scores in the order they are shown: the one that chose, AVSS's formulas, the others by name.
func (r *Report) Keys() []string {
	keys := make([]string, 0, len(r.Scores))
	for key := range r.Scores {
		keys = append(keys, key)
	}
	place := func(key string) int {
		switch {
		case r.Plan != nil && key == r.Plan.Metric:
			return 0
		case key == "avss":
			return 1
		case key == paperKey:
			return 2
		case r.Scores[key].Metric != "avss":
			return 3
		}
		return 4
	}
	sort.Slice(keys, func(i, j int) bool {
		if a, b := place(keys[i]), place(keys[j]); a != b {
			return a < b
		}
		return keys[i] < keys[j]
	})
	return keys
}

// paperKey is the key of the published formula on what it was published for.
const paperKey = "avss-paper-block"

// label is what a person calls a key of the scores.
func (r *Report) label(key string) string {
	if key == "" {
		return "named by hand"
	}
	s, known := r.Scores[key]
	if !known || s.Metric != "avss" {
		return key
	}
	return fmt.Sprintf("AVSS %s, %s", s.Mode, s.Site)
}

func (r *Report) timeTable() (Table, bool) {
	if r.Speed == nil || len(r.Speed.Seconds) == 0 {
		return Table{}, false
	}
	t := Table{Title: titleTime, Header: []string{"phase", "seconds"}}
	total := 0.0
	for _, s := range r.Speed.Seconds {
		t.add(s.Name, fmt.Sprintf("%.2f", s.Seconds))
		total += s.Seconds
	}
	t.add("together", fmt.Sprintf("%.2f", total))
	if r.Speed.PeakRSS > 0 {
		t.Note = "Most memory resident: " + size(r.Speed.PeakRSS) + "."
	}
	return t, true
}
