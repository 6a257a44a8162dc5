package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/engine/device"
	"avssnative/prune"
)

// layerTable is every ranking's scores by layer.
func (r *Report) layerTable() (Table, bool) {
	keys := r.shown()
	if len(keys) == 0 {
		return Table{}, false
	}
	t, columns := r.byLayer("Layers")
	var highest []string
	for _, key := range keys {
		s := r.Scores[key]
		columns = append(columns, aligned(s.Values))
		t.column(key, r.scoreHeading(key))
		if s.Metric == "avss" && s.Mode != "robust" {
			columns = append(columns, aligned(s.Normalised()))
			t.column(key+" navss", "NAVSS")
		}
		if key == paperKey {
			t.Notes = append(t.Notes, r.paperNote(s.Values))
		}
		if r.firstToGo(key) == "highest" {
			highest = append(highest, r.label(key))
		}
	}
	t.Note = "Lowest scores go first."
	if len(highest) > 0 {
		t.Note += " Of " + named(highest, inNote) + " the highest do."
	}
	if r.Plan == nil {
		t.fill(columns)
		return t, true
	}
	marks, dropped := make([]Cell, r.rows()), r.droppedLayers()
	for layer := range marks {
		marks[layer] = Mark{dropped[layer], "dropped"}
	}
	t.column("dropped", "")
	t.fill(append(columns, marks))
	for layer := range t.Rows {
		t.Rows[layer].Dropped = dropped[layer]
	}
	return t, true
}

// byLayer begins a table with a row for each layer; the columns are to be filled in.
func (r *Report) byLayer(title string) (Table, [][]Cell) {
	t := Table{Title: title, single: true}
	t.column("layer", "layer")
	numbers := make([]Cell, r.rows())
	for i := range numbers {
		if numbers[i] = Count(i); r.Unit != "" {
			numbers[i] = Text(prune.UnitName(r.Unit, i))
		}
	}
	return t, [][]Cell{numbers}
}

// droppedLayers says of every layer, or half of one where scores are of halves, whether the plan leaves it out.
func (r *Report) droppedLayers() []bool {
	dropped := make([]bool, r.rows())
	if r.Plan == nil {
		return dropped
	}
	gone := make([]bool, unitsOf(r.Model.Layers, r.Plan.Unit))
	for _, i := range r.Plan.Dropped {
		gone[i] = true
	}
	for i := range dropped {
		switch {
		case r.Unit == r.Plan.Unit:
			dropped[i] = gone[i]
		case r.Unit == prune.Sublayer: // layers were named
			dropped[i] = gone[i/2]
		default: // halves were named
			dropped[i] = gone[2*i] && gone[2*i+1]
		}
	}
	return dropped
}

// paperNote says what to think of the published formula's column.
func (r *Report) paperNote(values []float64) string {
	infinite := 0
	for _, v := range values {
		if math.IsInf(v, 0) {
			infinite++
		}
	}
	note := "AVSS paper, block is the published formula on the outputs of blocks: variance over the share of values " +
		"below 1e-5; NAVSS is its share of the sum of finite scores. It knows no scale: where a residual stream grows with depth, so does the " +
		"score, and the earliest layers, the worst to lose, come out lowest."
	if rho, known := r.depth(paperKey); known {
		note += fmt.Sprintf(" Here its Spearman correlation with depth is %.2f", rho)
		if infinite > 0 {
			note += fmt.Sprintf(", and %d of %d scores are infinite because no value is that small: what ranks the others is "+
				"a handful of values", infinite, len(values))
		}
		note += "."
	}
	return note
}

// intervalTable is the interval of every score that has a column in layerTable.
func (r *Report) intervalTable() (Table, bool) {
	t, columns := r.byLayer("Intervals of the scores (quantiles 0.025 to 0.975, bootstrap over sequences)")
	for _, key := range r.shown() {
		s := r.Scores[key]
		if len(s.Low) == 0 {
			continue
		}
		ends := aligned(slices.Concat(s.Low, s.High))
		column := make([]Cell, len(s.Low))
		for layer := range column {
			low, _ := ends[layer].(Number)
			high, _ := ends[len(s.Low)+layer].(Number)
			column[layer] = Interval{low, high}
		}
		columns = append(columns, column)
		t.column(key, r.scoreHeading(key), intervalParts...)
	}
	if len(columns) == 1 {
		return t, false
	}
	t.fill(columns)
	return t, true
}

// stabilityTable is how far each ranking can be believed; what must be known of a ranking's scores stands below it.
func (r *Report) stabilityTable() (Table, bool) {
	t := Table{Title: "How sure the rankings are", single: true,
		Note: "τ: Kendall's, between the rankings of the even and of the odd sequences; 1 is the same order. " +
			"With depth: Spearman's correlation with the layer's number."}
	t.column("ranking", "ranking")
	t.column("split_half_tau", "split-half τ")
	t.column("correlation_with_depth", "with depth")
	t.column("lowest", "lowest")
	t.column("highest", "highest")
	var notes []string
	about := map[string][]string{}
	for _, key := range r.Keys() {
		s := r.Scores[key]
		order := avss.Ranking(s.Values)
		n := min(4, len(order))
		depth := Number{Value: nan, Places: 2}
		if rho, known := r.depth(key); known {
			depth.Value = rho
		}
		t.add(r.term(key), Number{Value: float64(s.Tau), Places: 3}, depth, units(order[:n], r.Unit, true), units(order[len(order)-n:], r.Unit, true))
		for _, note := range s.Notes {
			if about[note] == nil {
				notes = append(notes, note)
			}
			about[note] = append(about[note], r.label(key))
		}
	}
	for _, note := range notes {
		t.note("%s: %s.", strings.Join(about[note], "; "), strings.TrimSuffix(note, "."))
	}
	return t, len(t.Rows) > 0
}

// activationTable is the two halves of the robust formula at every site.
func (r *Report) activationTable() (Table, bool) {
	if len(r.Layers) != r.rows() || len(r.Layers) == 0 {
		return Table{}, false
	}
	t, columns := r.byLayer("Variance and sparsity by depth")
	t.Note = "Relative to the residual stream at each token (act: to its own size): the variance of the values, and the share of them below 1e-2. " +
		"block: the residual stream itself; delta: what the layer adds; attn, mlp: its two halves; act: what enters the MLP's output projection."
	for site := range device.Sites {
		name := site.String()
		var variance, sparsity []float64
		for _, row := range r.Layers {
			if s, has := row.Sites[name]; has {
				variance, sparsity = append(variance, float64(s.RelativeVariance)), append(sparsity, float64(s.RelativeSparsity))
			}
		}
		if len(variance) != r.rows() {
			continue
		}
		// Of what is divided by its own size the variance is 1 everywhere, which tells nothing.
		if low, high := slices.Min(variance), slices.Max(variance); high > 1.02*low {
			columns = append(columns, aligned(variance))
			t.column(name+"_variance", name+" variance")
		}
		columns = append(columns, aligned(sparsity))
		t.column(name+"_sparsity", name+" sparsity")
	}
	if len(columns) == 1 {
		return t, false
	}
	t.fill(columns)
	return t, true
}
