package report

import (
	"fmt"
	"slices"
	"strings"
)

// planTable is the layers that go, and what the other rankings would have dropped.
func (r *Report) planTable() (Table, bool) {
	if r.Plan == nil {
		return Table{}, false
	}
	t := Table{Title: "Layers that go", Note: "Layers are numbered from 0."}
	t.column("chosen_by", "chosen by")
	t.column("layers", "layers")
	t.column("relation", "")
	chosen := r.term(r.Plan.Metric)
	chosen.Name += " (" + r.Plan.Rule + ")"
	t.add(chosen, units(r.Plan.Dropped, r.Plan.Unit, false), Text("dropped"))
	t.Rows[0].Dropped = true
	if len(r.Others) > 0 {
		t.Note += " The first line is what was done; the others are what the other rankings of the same pass would have dropped."
	}
	for _, other := range r.Others {
		same := Text("")
		if slices.Equal(other.Dropped, r.Plan.Dropped) {
			same = "the same"
		}
		t.add(r.term(other.Metric), units(other.Dropped, other.Unit, false), same)
	}
	var follow []string
	for _, key := range r.Keys() {
		if rho, does := r.trapped(key); does {
			follow = append(follow, fmt.Sprintf("%s (%.3f)", r.label(key), rho))
		}
	}
	if len(follow) > 0 {
		t.note("The depth trap: scores that rise with depth (Spearman's correlation above %.2f) only say \"the earliest layers first\", and those "+
			"are what a decoder can least do without. Here: %s.", depthTrap, strings.Join(follow, ", "))
	}
	return t, true
}
