package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/weights"
)

// What a fit takes of memory.

// Takes is what a fit takes at most beside what the process holds, where that is bounded and the device computes in its memory, and what of it the
// repair keeps: three streams, or five where there are mixtures, the tensors of a batch, what has been solved, and the sums and matrices of the
// layer that takes the most. Kept are the tensors in the types that they are stored in, and what of float32 has not been collected. Where so many
// processes share the text, the streams are a part's.
func (m *Model) Takes(fit Fit, parts int) (most, kept int64, err error) {
	d, err := m.bounded()
	if d == nil {
		return 0, 0, err
	}
	sequences := make([]Sequence, len(fit.Sequences))
	rows := 0
	for i, s := range fit.Sequences {
		sequences[i] = Sequence{IDs: s.IDs}
		rows = max(rows, len(s.IDs))
	}
	packed, err := pack(sequences, m.Spec)
	if err != nil {
		return 0, 0, err
	}
	f := &fitter{model: m, device: d, fit: fit, packing: packed, repair: m.NewRepair()}
	rows = max(rows, f.batchRows())
	walked := packed.rows
	if parts > 1 { // runs of batches, of which a part has some more than its share
		walked = min(walked, ((mostLeaves+parts-1)/parts)*(walked/mostLeaves+rows))
	}
	work, err := m.working(d, rows)
	if err != nil {
		return 0, 0, err
	}
	solving, streams, counted, exact := int64(0), int64(3), map[string]bool{}, int64(0)
	f.solved(func(mixed bool, linears ...*arch.Linear) {
		if !fit.Lengths {
			solving = max(solving, solvingBytes(rows, linears...))
		}
		for _, l := range linears {
			stored, _ := m.Tensors.Lookup(l.Weight.Name)
			bytes := int64(len(stored.Data))
			switch {
			case mixed: // solved in its type, and many may lie in one tensor
				streams = 5 // what enters the mixture, and what its result lacks
				if counted[l.Weight.Name] {
					bytes = 0
				}
				counted[l.Weight.Name] = true
			case !weights.HasCodes(stored.Type): // solved in float32
				exact += 4 * int64(l.Weight.In) * int64(l.Weight.Out)
			}
			kept += bytes
		}
	})
	return streams*4*int64(walked)*int64(m.Spec.Hidden) + m.mappedAtATime() + work + solving + kept + exact, kept + exact/5, nil
}

// solved visits the linear layers that a fit solves, those with one input together; mixed: one of a mixture.
func (f *fitter) solved(visit func(mixed bool, linears ...*arch.Linear)) {
	stay := f.halves()
	behind := len(stay) > 0 && f.gone(0, stay[0])
	for k, half := range stay {
		after := 2 * f.model.Layers()
		if k+1 < len(stay) {
			after = stay[k+1]
		}
		gap := f.gone(half+1, after)
		inner, out, _ := f.linears(half)
		mixture := f.mixture(half)
		if !f.fit.LinearAlone && (gap || behind && !f.fit.Gaps) {
			if f.fit.Inner && behind && len(inner) > 0 {
				visit(false, inner...)
			}
			if out != nil {
				visit(false, out)
			}
			if mixture != nil {
				for i := range mixture.Experts {
					visit(true, &mixture.Experts[i].Down)
				}
				if mixture.Shared != nil {
					visit(true, &mixture.Shared.Down)
				}
			}
		}
		behind = behind || gap
	}
}

// solvingBytes is what it takes to sum up linear layers with one input over batches of so many rows and to solve one after the other: they share
// the sums of the input, and those kept apart; a solution has three more matrices of the inputs at a time, and as many of the outputs. A quarter
// is what has not been collected.
func solvingBytes(rows int, linears ...*arch.Linear) int64 {
	in := int64(linears[0].Weight.In)
	bytes, most := 16*in*in, int64(0)
	for _, l := range linears {
		out := int64(l.Weight.Out)
		bytes += 16 * in * out
		matrices := int64(3)
		if l.Bias.Name != "" {
			matrices = 4 // sums of rows without their mean
		}
		most = max(most, 8*in*matrices*(in+out))
		bytes += 8 * int64(rows) * (in + 2*out)
	}
	return (bytes + most) * 5 / 4
}
