package prune

import (
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
)

// Every set is measured on every sequence, by either objective.
func TestSetsAreWeighed(t *testing.T) {
	f := &invented{layers: 5, seed: 3}
	text := inventedText(4)
	sets := []engine.Drop{engine.Layers(0, 2), engine.Layers(4)}
	for _, objective := range []Objective{"", ObjectiveKL, ObjectiveNLL} {
		costs, err := Weigh(t.Context(), f, text, sets, SearchOptions{Objective: objective})
		if err != nil || len(costs) != len(sets) {
			t.Fatalf("%d sets, %v", len(costs), err)
		}
		for i, set := range sets {
			for s := range text {
				want := f.cost(set, s)
				if objective == ObjectiveNLL {
					want += 10
				}
				if len(costs[i]) != len(text) || costs[i][s] != want {
					t.Errorf("%s, %v: %v, want %v on sequence %d", objective, set, costs[i], want, s)
				}
			}
		}
	}
	_, err := Weigh(t.Context(), f, []engine.Sequence{{IDs: []int32{1, 2}}}, sets, SearchOptions{})
	if err == nil || !strings.Contains(err.Error(), "scored") {
		t.Errorf("a text of which nothing is scored: %v", err)
	}
	_, err = Weigh(t.Context(), avss.Halves(f), text, sets, SearchOptions{Repair: RepairLstsq})
	if err == nil || !strings.Contains(err.Error(), "one process") {
		t.Errorf("bridged by what cannot: %v", err)
	}
}
