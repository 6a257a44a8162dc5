package engine

import (
	"context"
	"fmt"

	"avssnative/engine/device"
)

// A bypass is what a layer that is left out leaves behind: the residual stream x becomes x + x·Wᵀ (Ghosted Layers, arXiv 2605.15491). No file of a
// stock format carries one. It bounds what repairing a gap can do, and tells a search what a set is worth before it is repaired.
type bypass struct {
	matrix []float32 // W [hidden × hidden]; nil: promised
	origin string    // of a promised one: what stands for it in the fingerprint
}

// Bypass puts a matrix W [hidden × hidden] in the place of a layer that a variant leaves out: the stream x becomes x + x·Wᵀ there.
func (r *Repair) Bypass(layer int, matrix []float32) error {
	if hidden := r.model.Spec.Hidden; layer < 0 || layer >= r.model.Layers() || len(matrix) != hidden*hidden {
		return fmt.Errorf("engine: a bypass of layer %d with %d values: want a layer below %d and [%d × %d]", layer, len(matrix), r.model.Layers(),
			hidden, hidden)
	}
	r.bypasses[layer] = &bypass{matrix: matrix}
	return nil
}

// Promise is Bypass with a matrix that is not known yet: the function that it returns puts it there, before a pass uses the repair. origin names all
// that the matrix depends on beside the model, and stands for it in the fingerprint, so that a pass that is not computed needs no matrix.
func (r *Repair) Promise(layer int, origin string) (keep func(matrix []float32) error, err error) {
	if layer < 0 || layer >= r.model.Layers() || origin == "" {
		return nil, fmt.Errorf("engine: a promised bypass of layer %d from %q: want a layer below %d and an origin", layer, origin, r.model.Layers())
	}
	b := &bypass{origin: origin}
	r.bypasses[layer] = b
	return func(matrix []float32) error {
		if hidden := r.model.Spec.Hidden; len(matrix) != hidden*hidden {
			return fmt.Errorf("engine: a bypass of layer %d with %d values: want [%d × %d]", layer, len(matrix), hidden, hidden)
		}
		b.matrix = matrix
		return nil
	}, nil
}

// bypass takes states over a layer that their variants leave out.
func (w *walker) bypass(ctx context.Context, layer int, by *bypass, moves []move) error {
	hidden := w.model.Spec.Hidden
	if by.matrix == nil {
		return fmt.Errorf("engine: layer %d: its bypass was promised, and is not there", layer)
	}
	matrix, err := w.device.Matrix(device.Weight{Name: "bypass", Type: device.F32, Data: bytesOf(by.matrix), Out: hidden, In: hidden, Stride: hidden})
	if err != nil {
		return err
	}
	defer matrix.Release()
	for _, m := range moves {
		for _, b := range w.packing.batches([]int{m.to.groups}, w.pass.Rows) {
			if err := ctx.Err(); err != nil {
				return err
			}
			s := b.spans[0]
			added := w.pool.take(s.rows, hidden)
			x := m.from.hidden.Slice(s.start, s.rows)
			w.device.Product(added, x, matrix, nil)
			w.device.Add(added, added, x, 1)
			w.copyRows(m.to.hidden.Slice(s.start, s.rows), added)
			err := w.device.Sync()
			w.pool.give(added)
			if err != nil {
				return fmt.Errorf("engine: layer %d: its bypass: %w", layer, err)
			}
		}
	}
	return nil
}
