package engine

import (
	"fmt"
	"slices"
)

// checkKnown says what is wrong with a stream that is said to be known.
func (p Pass) checkKnown(packed *packing, hidden int) error {
	if p.Known == nil {
		return nil
	}
	if len(p.Known) != len(p.Sequences) || len(p.Observe) > 0 || p.Trace != nil {
		return fmt.Errorf("engine: a known stream of %d sequences, of %d: want all of them, and nothing that is observed", len(p.Known), len(p.Sequences))
	}
	for i := range packed.groups {
		f := &packed.groups[i]
		if rows := p.Known[f.sequence]; len(rows) != f.rows*hidden || len(p.Sequences[f.sequence].Branches) > 0 {
			return fmt.Errorf("engine: sequence %d: a known stream of %d values, and %d branches: want [%d × %d] and none", f.sequence, len(rows),
				len(p.Sequences[f.sequence].Branches), f.rows, hidden)
		}
	}
	return nil
}

// recall puts the known stream of the first variant in front of the states that were walked.
func (w *walker) recall() {
	s := state{variants: []int{0}, groups: w.packing.scoredGroups}
	s.hidden = w.device.NewTensor(w.packing.scored, w.model.Spec.Hidden)
	for i := range s.groups {
		f := &w.packing.groups[i]
		w.device.Upload(s.hidden, f.start, w.pass.Known[f.sequence])
	}
	w.states = slices.Insert(w.states, 0, s)
}

// Last is the stream that leaves the last block, a sequence [tokens × hidden]: Pass.Known of passes over the same text.
func (s *Streams) Last() [][]float32 { return s.last }
