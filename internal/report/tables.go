package report

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"avssnative/avss"
)

// Table is a table before it is shown anywhere.
type Table struct {
	Title  string
	Note   string // below it
	Header []string
	Rows   [][]string
}

// Tables are all tables the report has something for, in the order a reader wants them.
func (r *Report) Tables() []Table {
	var all []Table
	for _, make := range []func() (Table, bool){r.summaryTable, r.taskTable, r.planTable, r.layerTable, r.stabilityTable, r.sweepTable, r.agreementTable, r.timeTable} {
		if t, has := make(); has {
			all = append(all, t)
		}
	}
	return all
}

func (r *Report) summaryTable() (Table, bool) {
	t := Table{Title: "What became of the model", Header: []string{"", "whole", "smaller", "kept"}}
	if s := r.Size; s != nil {
		t.add("parameters", count(s.ParametersDense), count(s.ParametersPruned), share(s.ParametersPruned, s.ParametersDense))
		t.add("weights", size(s.BytesDense), size(s.BytesPruned), share(s.BytesPruned, s.BytesDense))
	}
	if p := r.Plan; p != nil {
		t.add("layers", fmt.Sprint(r.Model.Layers), fmt.Sprint(len(p.Kept)), share(int64(len(p.Kept)), int64(r.Model.Layers)))
	}
	if s := r.Speed; s != nil && s.TokensPerSecondDense > 0 {
		pruned, gain := "–", "–"
		if s.TokensPerSecondPruned > 0 {
			pruned, gain = fmt.Sprintf("%.0f", s.TokensPerSecondPruned), fmt.Sprintf("%.2f ×", s.TokensPerSecondPruned/s.TokensPerSecondDense)
		}
		t.add("tokens/s read", fmt.Sprintf("%.0f", s.TokensPerSecondDense), pruned, gain)
	}
	if k := r.Retention; k != nil {
		t.add("retention, mean of ratios", "", "", percent(k.MeanOfRatios))
		t.add("retention, mean of ratios, corrected for chance", "", "", percent(k.MeanOfCorrected))
		t.add("retention, ratio of mean accuracies", "", "", percent(k.RatioOfMeans))
	}
	if d := r.Divergence; d != nil {
		t.add("KL(whole ‖ smaller), nats a token", "", fmt.Sprintf("%.4f", d.KL), "")
		t.add("same most likely token", "", "", percent(avss.Value(d.SameTop)))
	}
	return t, len(t.Rows) > 0
}

func (r *Report) taskTable() (Table, bool) {
	if len(r.Tasks) == 0 {
		return Table{}, false
	}
	compared := r.Tasks[0].Pruned != nil
	t := Table{Title: "Tasks", Header: []string{"task", "n", "metric", "value"}}
	if compared {
		t.Header = []string{"task", "n", "metric", "whole", "smaller", "retention", "beyond chance", "p", "KL", "same top"}
		t.Note = "± one standard error. Retention: smaller/whole for accuracies, whole/smaller for perplexities; beyond chance: what guessing gives is taken off both. p: two-sided paired test (McNemar for accuracies, paired bootstrap for perplexities)."
	}
	for _, task := range r.Tasks {
		metric := task.Metric
		if task.Convention != "" {
			metric += ", " + task.Convention
		}
		row := []string{task.Name, fmt.Sprint(task.N), metric, task.Dense.String()}
		if compared {
			row = append(row, task.Pruned.String(), percent(task.Retention), percent(task.ChanceCorrected), probability(task.P), fmt.Sprintf("%.4f", task.KL), percent(avss.Value(task.SameTop)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t, true
}

func (r *Report) planTable() (Table, bool) {
	if r.Plan == nil {
		return Table{}, false
	}
	t := Table{Title: "Layers that go", Header: []string{"chosen by", "layers", ""},
		Note: "Layers are numbered from 0. The first line is what was done; the others are what the other rankings of the same pass would have dropped."}
	t.add(r.label(r.Plan.Metric)+" ("+r.Plan.Rule+")", layers(r.Plan.Dropped), "dropped")
	for _, other := range r.Others {
		same := ""
		if slices.Equal(other.Dropped, r.Plan.Dropped) {
			same = "the same"
		}
		t.add(r.label(other.Metric), layers(other.Dropped), same)
	}
	return t, true
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
		case key == "avss-paper-block":
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

func (r *Report) layerTable() (Table, bool) {
	keys := r.Keys()
	if len(keys) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Layers", Header: []string{"layer"}, Note: "Lowest scores go first. Below AVSS: variance of what the layer adds, share of it below 1e-2 of the residual stream."}
	var shown []string
	for _, key := range keys {
		if s := r.Scores[key]; s.Metric == "avss" && !slices.Contains([]string{"avss", "avss-paper-block"}, key) && (r.Plan == nil || r.Plan.Metric != key) {
			continue
		}
		shown = append(shown, key)
		t.Header = append(t.Header, r.label(key))
	}
	if len(r.Layers) == r.Model.Layers {
		t.Header = append(t.Header, "variance", "sparsity")
	}
	t.Header = append(t.Header, "")
	for layer := range r.Model.Layers {
		row := []string{fmt.Sprint(layer)}
		for _, key := range shown {
			row = append(row, short(r.Scores[key].Values[layer]))
		}
		if len(r.Layers) == r.Model.Layers {
			delta := r.Layers[layer].Sites["delta"]
			row = append(row, short(float64(delta.Variance)), short(float64(delta.RelativeSparsity)))
		}
		mark := ""
		if r.Plan != nil && slices.Contains(r.Plan.Dropped, layer) {
			mark = "dropped"
		}
		t.Rows = append(t.Rows, append(row, mark))
	}
	return t, true
}

func (r *Report) stabilityTable() (Table, bool) {
	t := Table{Title: "How sure the rankings are", Header: []string{"ranking", "split-half τ", "lowest", "highest", "notes"},
		Note: "τ: Kendall's, between the rankings of the even and of the odd sequences; 1 is the same order. Intervals (2.5–97.5 %) are in report.json and in the pictures."}
	for _, key := range r.Keys() {
		s := r.Scores[key]
		order := s.Ranking()
		n := min(4, len(order))
		t.add(r.label(key), short(float64(s.Tau)), layers(order[:n]), layers(order[len(order)-n:]), strings.Join(s.Notes, " "))
	}
	return t, len(t.Rows) > 0
}

func (r *Report) sweepTable() (Table, bool) {
	if r.Sweep == nil || len(r.Sweep.Points) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Metrics × layers dropped", Header: []string{"metric", "dropped", "layers", "retention", "beyond chance", "KL"}}
	for _, task := range r.Sweep.Points[0].Tasks {
		t.Header = append(t.Header, task.Name)
	}
	sized, timed := r.Sweep.Points[0].Parameters > 0, r.Sweep.Points[0].TokensPerSecond > 0
	if sized {
		t.Header = append(t.Header, "parameters")
	}
	if timed {
		t.Header = append(t.Header, "tokens/s")
	}
	for _, p := range r.Sweep.Points {
		row := []string{p.Metric, fmt.Sprintf("%d (%.0f %%)", p.Count, 100*p.Share), layers(p.Dropped), percent(p.Retention.MeanOfRatios),
			percent(p.Retention.MeanOfCorrected), fmt.Sprintf("%.3f", p.Divergence.KL)}
		for _, task := range p.Tasks {
			row = append(row, short(float64(task.Value)))
		}
		if sized {
			row = append(row, count(p.Parameters))
		}
		if timed {
			row = append(row, fmt.Sprintf("%.0f", p.TokensPerSecond))
		}
		t.Rows = append(t.Rows, row)
	}
	t.Note = fmt.Sprintf("Judged in %d walks through the model instead of %d, %d layer applications instead of %d, %.1f s.",
		r.Sweep.Passes, r.Sweep.PassesAlone, r.Sweep.Blocks, r.Sweep.BlocksAlone, r.Sweep.Seconds)
	if r.Sweep.SecondsAlone > 0 {
		t.Note += fmt.Sprintf(" One by one it took %.1f s.", r.Sweep.SecondsAlone)
	}
	return t, true
}

func (r *Report) agreementTable() (Table, bool) {
	if r.Sweep == nil || len(r.Sweep.Metrics) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Agreement between metrics (Kendall's τ)", Header: append([]string{""}, r.Sweep.Metrics...)}
	for i, name := range r.Sweep.Metrics {
		row := []string{name}
		for _, tau := range r.Sweep.Tau[i] {
			row = append(row, fmt.Sprintf("%.2f", tau))
		}
		t.Rows = append(t.Rows, row)
	}
	return t, true
}

func (r *Report) timeTable() (Table, bool) {
	if r.Speed == nil || len(r.Speed.Seconds) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Time", Header: []string{"phase", "seconds"}}
	total := 0.0
	for _, s := range r.Speed.Seconds {
		t.add(s.Phase, fmt.Sprintf("%.2f", s.Seconds))
		total += s.Seconds
	}
	t.add("together", fmt.Sprintf("%.2f", total))
	if r.Speed.PeakRSS > 0 {
		t.Note = "Most memory resident: " + size(r.Speed.PeakRSS) + "."
	}
	return t, true
}

func (t *Table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

// String is the figure with its standard error.
func (f Figure) String() string {
	if math.IsNaN(float64(f.Stderr)) || f.Stderr == 0 {
		return short(float64(f.Value))
	}
	return short(float64(f.Value)) + " ± " + fmt.Sprintf("%.2g", float64(f.Stderr))
}

// short shows four figures.
func short(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 1):
		return "∞"
	case v != 0 && (math.Abs(v) < 1e-3 || math.Abs(v) >= 1e5):
		return fmt.Sprintf("%.3g", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func percent(v avss.Value) string {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(v))
}

func probability(p avss.Value) string {
	switch {
	case math.IsNaN(float64(p)):
		return "–"
	case p < 1e-3:
		return "< 0.001"
	}
	return fmt.Sprintf("%.3f", float64(p))
}

func share(a, b int64) string {
	if b == 0 {
		return "–"
	}
	return percent(avss.Value(float64(a) / float64(b)))
}

// layers lists layers as a person writes them.
func layers(drop []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(drop), " ", ", "), "[]")
}

// count shows a number with a suffix: 3.2 M.
func count(n int64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if float64(n) >= unit.size {
			return fmt.Sprintf("%.3g%s", float64(n)/unit.size, unit.name)
		}
	}
	return fmt.Sprint(n)
}

// size shows bytes in IEC units.
func size(n int64) string {
	for _, unit := range []struct {
		shift int
		name  string
	}{{40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		if n >= 1<<unit.shift {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(int64(1)<<unit.shift), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
