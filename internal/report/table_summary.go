package report

import (
	"fmt"

	"avssnative/prune"
)

// summaryTable is what became of the model as a whole.
func (r *Report) summaryTable() (Table, bool) {
	t := Table{Title: "What became of the model"}
	t.column("quantity", "")
	t.column("dense", "dense")
	t.column("pruned", "pruned")
	t.column("kept", "kept", keptParts...)
	if k := r.means(); k != nil {
		t.add(Term{"retention_beyond_chance_mean_of_ratios", "retention beyond chance, mean of ratios"}, nil, nil, Kept{Share(k.MeanOfCorrected),
			k.CorrectedSpan})
		t.add(Term{"retention_mean_of_ratios", "retention, mean of the tasks' ratios"}, nil, nil, Kept{Share(k.MeanOfRatios), k.RatiosSpan})
		t.add(Term{"retention_ratio_of_mean_accuracies", "retention, ratio of mean accuracies"}, nil, nil, Share(k.RatioOfMeans))
	}
	if d := r.Divergence; d != nil {
		t.add(Term{"same_most_likely_token", "same most likely token"}, nil, nil, Share(d.SameTop))
		t.add(Term{"kl_nats_per_token", "KL(dense ‖ pruned), nats a token"}, nil, Number{Value: d.KL, Places: 4}, nil)
	}
	if p := r.Plan; p != nil {
		kept := int64(len(p.Kept))
		what, all := Term{"layers", "layers"}, int64(unitsOf(r.Model.Layers, p.Unit))
		if p.Unit == prune.Sublayer {
			what = Term{"sublayers", "attentions and MLPs"}
		}
		t.add(what, Count(all), Count(kept), ratio(kept, all))
	}
	if s := r.Size; s != nil {
		t.add(Term{"parameters", "parameters"}, Quantity(s.ParametersDense), Quantity(s.ParametersPruned), ratio(s.ParametersPruned, s.ParametersDense))
		t.add(Term{"weights_bytes", "weights"}, Bytes(s.BytesDense), Bytes(s.BytesPruned), ratio(s.BytesPruned, s.BytesDense))
	}
	if s := r.Speed; s != nil {
		t.pace("tokens_per_second", "tokens/s read", s.TokensPerSecondDense, s.TokensPerSecondPruned)
		t.pace("generated_per_second", "tokens/s made", s.GeneratedPerSecondDense, s.GeneratedPerSecondPruned)
		if s.CacheBytesDense > 0 {
			cells := []Cell{Term{"cache_bytes", fmt.Sprintf("keys and values of %d tokens", s.CacheTokens)}, Bytes(s.CacheBytesDense), nil, nil}
			if s.CacheBytesPruned > 0 {
				cells[2], cells[3] = Bytes(s.CacheBytesPruned), ratio(s.CacheBytesPruned, s.CacheBytesDense)
			}
			t.add(cells...)
		}
	}
	for _, row := range t.Rows {
		if share, plain := row.Cells[3].(Share); plain { // one column, one kind of cell
			row.Cells[3] = Kept{share, nil}
		}
	}
	return t, len(t.Rows) > 0
}

// pace adds a line of tokens a second, where they were measured.
func (t *Table) pace(key, name string, dense, pruned float64) {
	if dense <= 0 {
		return
	}
	cells := []Cell{Term{key, name}, Number{Value: dense}, nil, nil}
	if pruned > 0 {
		cells[2], cells[3] = Number{Value: pruned}, Share(pruned/dense)
	}
	t.add(cells...)
}

// timeTable is where the time went.
func (r *Report) timeTable() (Table, bool) {
	if r.Speed == nil || len(r.Speed.Seconds) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Time", single: true}
	t.column("phase", "phase")
	t.column("seconds", "seconds")
	total := 0.0
	for _, s := range r.Speed.Seconds {
		t.add(Text(s.Name), Number{Value: s.Seconds, Places: 2})
		total += s.Seconds
	}
	t.add(Text("together"), Number{Value: total, Places: 2})
	if r.Speed.PeakRSS > 0 {
		t.Note = fmt.Sprintf("Most memory resident: %s.", size(r.Speed.PeakRSS))
	}
	return t, true
}
