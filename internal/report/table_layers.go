package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/engine/device"
)

// shown are the scores that have a column of their own: what chose, the default, the published formula, and one of each other metric.
func (r *Report) shown() []string {
	var keys []string
	for _, key := range r.Keys() {
		if s := r.Scores[key]; s.Metric != "avss" || key == "avss" || key == paperKey || r.Plan != nil && r.Plan.Metric == key {
			keys = append(keys, key)
		}
	}
	return keys
}

// layerTable is every ranking's scores by layer.
func (r *Report) layerTable() (Table, bool) {
	keys := r.shown()
	if len(keys) == 0 {
		return Table{}, false
	}
	t := Table{Title: titleLayers, Note: "Lowest scores go first."}
	columns := [][]string{numbers(r.Model.Layers)}
	t.Header = []string{"layer"}
	for _, key := range keys {
		s := r.Scores[key]
		columns = append(columns, aligned(s.Values))
		head := strings.Replace(strings.Replace(r.label(key), ", ", ",\n", 1), "AVSS ", "AVSS\n", 1)
		if d, err := avss.Lookup(s.Metric); err == nil && d.Unit != "" {
			head += ",\n" + d.Unit
		}
		t.Header = append(t.Header, head)
		if s.HighestFirst() {
			t.note("%s: the highest scores go first.", r.label(key))
		}
		if s.Metric == "avss" && s.Mode != "robust" {
			columns = append(columns, aligned(s.Normalised()))
			t.Header = append(t.Header, "NAVSS")
		}
		if key == paperKey {
			t.Notes = append(t.Notes, r.paperNote(s.Values))
		}
	}
	if r.Plan != nil {
		marks := make([]string, r.Model.Layers)
		for _, layer := range r.Plan.Dropped {
			marks[layer] = "dropped"
		}
		columns, t.Header = append(columns, marks), append(t.Header, "")
	}
	t.Rows = transposed(columns)
	return t, true
}

// paperNote says what to think of the published formula's column.
func (r *Report) paperNote(values []float64) string {
	infinite := 0
	for _, v := range values {
		if math.IsInf(v, 0) {
			infinite++
		}
	}
	note := "AVSS paper, block is the published formula on the outputs of blocks: variance over the share of values below 1e-5; NAVSS is its share of the " +
		"sum of finite scores. It knows no scale: where a residual stream grows with depth, so does the score, and the earliest layers, the worst to " +
		"lose, come out lowest."
	if rho, known := r.depth(paperKey); known {
		note += fmt.Sprintf(" Here its Spearman correlation with depth is %.2f", rho)
		if infinite > 0 {
			note += fmt.Sprintf(", and %d of %d scores are infinite because no value is that small: what ranks the others is a handful of values", infinite, len(values))
		}
		note += "."
	}
	return note
}

// intervalTable is the interval of every score that has a column in layerTable.
func (r *Report) intervalTable() (Table, bool) {
	t := Table{Title: titleIntervals, Header: []string{"layer"}}
	columns := [][]string{numbers(r.Model.Layers)}
	for _, key := range r.shown() {
		s := r.Scores[key]
		if len(s.Low) == 0 {
			continue
		}
		low, high := aligned(slices.Concat(s.Low, s.High)), []string(nil)
		low, high = low[:len(s.Low)], low[len(s.Low):]
		for layer := range low {
			if low[layer] != high[layer] {
				low[layer] += "–" + high[layer]
			}
		}
		columns = append(columns, low)
		t.Header = append(t.Header, strings.Replace(r.label(key), ", ", ",\n", 1))
	}
	t.Rows = transposed(columns)
	return t, len(columns) > 1
}

// stabilityTable is how far each ranking can be believed; what must be known of a ranking's scores stands below it.
func (r *Report) stabilityTable() (Table, bool) {
	t := Table{Title: titleStability, Header: []string{"ranking", "split-half τ", "with depth", "lowest", "highest"},
		Note: "τ: Kendall's, between the rankings of the even and of the odd sequences; 1 is the same order. With depth: Spearman's correlation with the layer's number."}
	var notes []string
	about := map[string][]string{}
	for _, key := range r.Keys() {
		s := r.Scores[key]
		order := s.Ranking()
		n := min(4, len(order))
		depth := "–"
		if rho, known := r.depth(key); known {
			depth = fmt.Sprintf("%.2f", rho)
		}
		t.add(r.label(key), decimals(float64(s.Tau), 3), depth, listed(order[:n]), listed(order[len(order)-n:]))
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
	if len(r.Layers) != r.Model.Layers || len(r.Layers) == 0 {
		return Table{}, false
	}
	t := Table{Title: titleActivations, Header: []string{"layer"},
		Note: "Relative to the residual stream at each token (act: to its own size): the variance of the values, and the share of them below 1e-2. " +
			"block: the residual stream itself; delta: what the layer adds; attn, mlp: its two halves; act: what enters the MLP's output projection."}
	columns := [][]string{numbers(r.Model.Layers)}
	for site := range device.Sites {
		name := site.String()
		var variance, sparsity []float64
		for _, row := range r.Layers {
			if s, has := row.Sites[name]; has {
				variance, sparsity = append(variance, float64(s.RelativeVariance)), append(sparsity, float64(s.RelativeSparsity))
			}
		}
		if len(variance) == r.Model.Layers {
			// Of a whole divided by its own size the variance is 1 everywhere, which tells nothing.
			if low, high := slices.Min(variance), slices.Max(variance); high > 1.02*low {
				columns, t.Header = append(columns, aligned(variance)), append(t.Header, name+"\nvariance")
			}
			columns, t.Header = append(columns, aligned(sparsity)), append(t.Header, name+"\nsparsity")
		}
	}
	t.Rows = transposed(columns)
	return t, len(columns) > 1
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return out
}

// transposed turns columns into rows.
func transposed(columns [][]string) [][]string {
	rows := make([][]string, len(columns[0]))
	for i := range rows {
		for _, column := range columns {
			rows[i] = append(rows[i], column[i])
		}
	}
	return rows
}
