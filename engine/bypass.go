package engine

import (
	"context"
	"fmt"

	"avssnative/engine/device"
)

// A bypass is what a layer that is left out leaves behind: the residual stream x becomes x + x·Wᵀ (Ghosted Layers, arXiv 2605.15491). No file of a
// stock format carries one. It bounds what repairing a gap can do, and tells a search what a set is worth before it is repaired.
type bypass struct{ matrix []float32 } // W [hidden × hidden]

// Bypass puts a matrix W [hidden × hidden] in the place of a layer that a variant leaves out: the stream x becomes x + x·Wᵀ there.
func (r *Repair) Bypass(layer int, matrix []float32) error {
	if hidden := r.model.Spec.Hidden; layer < 0 || layer >= r.model.Layers() || len(matrix) != hidden*hidden {
		return fmt.Errorf("engine: a bypass of layer %d with %d values: want a layer below %d and [%d × %d]", layer, len(matrix), r.model.Layers(),
			hidden, hidden)
	}
	r.bypasses[layer] = &bypass{matrix}
	return nil
}

// bypass takes states over a layer that their variants leave out.
func (w *walker) bypass(ctx context.Context, layer int, by *bypass, moves []move) error {
	hidden := w.model.Spec.Hidden
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
