package engine

import (
	"context"

	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// embed fills the first state's tensor with what enters block 0.
func (w *walker) embed(ctx context.Context) error {
	spec := &w.model.Spec.Embed
	weights, err := w.model.load(w.device, w.model.Tensors, spec.Refs)
	if err != nil {
		return err
	}
	defer w.done(weights)
	w.outcome.WeightBytes += weights.bytes
	hidden := w.states[0].hidden
	for _, b := range w.packing.batches([]int{w.states[0].groups}, w.pass.Rows) {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := b.spans[0]
		var ids []int32
		for i := s.first; i < s.last; i++ {
			ids = append(ids, w.packing.groups[i].ids...)
		}
		f := &forward{device: w.device, weights: weights, pool: w.pool, layout: b.layout, positions: b.positions, rows: b.rows}
		f.embed(hidden.Slice(s.start, s.rows), spec, ids)
		if err := asked(w.device); err != nil {
			return err
		}
	}
	if err := w.device.Sync(); err != nil {
		return err
	}
	if w.watch && w.pass.Trace != nil {
		return w.trace("embed")
	}
	return nil
}

// embed computes dst [rows × hidden] from token ids.
func (f *forward) embed(dst device.Tensor, e *arch.EmbedSpec, ids []int32) {
	scale := e.Scale
	if scale == 0 {
		scale = 1
	}
	words := dst
	if e.Project.Weight.Name != "" {
		words = f.take(e.Table.In)
	}
	f.device.Embed(words, f.weights.matrices[&e.Table], ids, scale)
	if e.Project.Weight.Name != "" {
		f.product(dst, words, &e.Project)
		f.give(words)
	}
	if e.TokenTypes.Name != "" {
		f.addRows(dst, &e.TokenTypes, make([]int32, len(ids)))
	}
	if e.Positions.Name != "" {
		at := make([]int32, len(ids))
		for i, p := range f.positions {
			at[i] = p + int32(e.PositionOffset)
		}
		f.addRows(dst, &e.Positions, at)
	}
	f.norm(dst, dst, &e.Norm)
}

// addRows adds the table's rows to dst.
func (f *forward) addRows(dst device.Tensor, table *arch.Ref, rows []int32) {
	t := f.take(dst.Cols())
	f.device.Embed(t, f.weights.matrices[table], rows, 1)
	f.device.Add(dst, dst, t, 1)
	f.give(t)
}
