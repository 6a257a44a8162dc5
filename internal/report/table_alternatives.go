package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// alternativeTable is what the dense model comes to with coarser weights: bytes saved without leaving layers out. The dense model stands first, and
// beside the others what was pruned.
func (r *Report) alternativeTable() (Table, bool) {
	if len(r.Alternatives) == 0 {
		return Table{}, false
	}
	t := Table{Title: "The plain alternative: the dense model with coarser weights",
		Note: "The matrices of all layers are written in the type, those that it " +
			"does not fit in the next, embedding and head stay as they are; nothing is fitted. KL(dense ‖ this) is in nats a token, over the tokens " +
			"of the tasks."}
	t.column("model", "model")
	t.column("bytes", "weights")
	t.column("share", "of the dense")
	t.column("kl_nats_per_token", "KL")
	t.column("same_top_token", "same top token")
	t.column("retention", "raw")
	t.column("retention_beyond_chance", "beyond chance")
	dense := r.Model.Bytes
	row := func(name string, bytes int64, d *Divergence, k *Retention) {
		cells := []Cell{Text(name), Bytes(bytes), ratio(bytes, dense), nil, nil, nil, nil}
		if d != nil {
			cells[3], cells[4] = Number{Value: d.KL, Places: 5}, Share(d.SameTop)
		}
		if k != nil && isFinite(float64(k.MeanOfRatios)) {
			cells[5], cells[6] = Share(k.MeanOfRatios), Share(k.MeanOfCorrected)
		}
		t.add(cells...)
	}
	row("dense", dense, &Divergence{SameTop: 1}, nil)
	if f := r.pruned(); f != nil && f.bytes > 0 {
		row(fmt.Sprintf("pruned, %d of %d layers", len(f.dropped), r.Model.Layers), f.bytes, f.divergence, f.retention)
	}
	for _, a := range r.Alternatives {
		if a.Unmeasured != "" {
			t.note("%s: %s.", a.Name, strings.TrimSuffix(a.Unmeasured, "."))
			continue
		}
		row("dense in "+a.Name, a.Bytes, a.Divergence, a.Retention)
		if a.Tensors[a.Name] == 0 || len(a.Tensors) > 1 {
			var types []string
			for _, name := range slices.Sorted(maps.Keys(a.Tensors)) {
				types = append(types, fmt.Sprintf("%d in %s", a.Tensors[name], name))
			}
			t.note("%s: tensors %s.", a.Name, strings.Join(types, ", "))
		}
	}
	return t, true
}

// pruned is the cut that the report is about.
func (r *Report) pruned() *finding {
	switch {
	case r.Plan != nil && r.Size != nil && r.Divergence != nil:
		return &finding{dropped: r.Plan.Dropped, bytes: r.Size.BytesPruned, divergence: r.Divergence, retention: r.means()}
	case r.Sweep != nil && len(r.Sweep.Points) > 0 && r.Plan == nil:
		return r.recommended()
	}
	return nil
}
