package engine

import (
	"context"
	"fmt"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// How a fit takes its streams through the halves of a model.

// enter makes the streams of the rows that are walked, and fills them with what enters layer 0: the dense one and the pruned one. next is the third.
func (f *fitter) enter() (next device.Tensor, end func(), err error) {
	hidden := f.model.Spec.Hidden
	f.pool = newPool(f.device, 1)
	f.dense, f.pruned = f.device.NewTensor(f.rows, hidden), f.device.NewTensor(f.rows, hidden)
	next = f.device.NewTensor(f.rows, hidden)
	end = func() {
		for _, t := range []device.Tensor{f.dense, f.pruned, next} {
			t.Free()
		}
		_ = f.device.Sync() // a walk that ended early may have left a failure behind
		f.pool.close()
	}
	if err := f.embed(); err != nil {
		end()
		return nil, nil, err
	}
	f.copy(f.pruned, f.dense)
	return next, end, nil
}

// of are the rows of a batch in a tensor of those that are walked.
func (f *fitter) of(t device.Tensor, b batch) device.Tensor {
	s := b.spans[0]
	return t.Slice(s.start-f.start, s.rows)
}

// embed fills the dense stream with what enters layer 0.
func (f *fitter) embed() error {
	spec := &f.model.Spec.Embed
	weights, err := f.model.load(f.device, f.model.Tensors, spec.Refs)
	if err != nil {
		return err
	}
	defer f.release(weights)
	for _, b := range f.batches {
		s := b.spans[0]
		var ids []int32
		for i := s.first; i < s.last; i++ {
			ids = append(ids, f.packing.groups[i].ids...)
		}
		f.forward(b, weights).embed(f.of(f.dense, b), spec, ids)
		if err := f.device.Sync(); err != nil {
			return err
		}
	}
	return nil
}

func (f *fitter) forward(b batch, weights *layerWeights) *forward {
	return &forward{device: f.device, weights: weights, pool: f.pool, layout: b.layout, positions: b.positions, rows: b.rows}
}

// advance takes a stream through the dense model's halves from..to.
func (f *fitter) advance(ctx context.Context, dst, src device.Tensor, from, to int) error {
	for half := from; half < to; half++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.half(dst, src, half, &f.model.Spec.Blocks[half/2], f.model.Tensors); err != nil {
			return err
		}
		src = dst
	}
	return nil
}

// half takes a stream through one half of a layer. Halves side by side read the same input: the second adds itself to what the first left.
func (f *fitter) half(dst, src device.Tensor, half int, block *arch.BlockSpec, tensors weights.Tensors) error {
	if !f.walks {
		return nil
	}
	weights, err := f.model.load(f.device, tensors, block.Refs)
	if err != nil {
		return err
	}
	defer f.release(weights)
	for _, b := range f.batches {
		fw := f.forward(b, weights)
		y := fw.take(f.model.Spec.Hidden)
		seen := fw.block(y, f.of(src, b), block, other(half))
		f.copy(f.of(dst, b), y)
		fw.give(y, seen.attn, seen.mlp, seen.act)
		if err := f.device.Sync(); err != nil {
			return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
		}
	}
	return nil
}

// other is the part of a layer that is left out where only a half is computed.
func other(half int) Part {
	if half%2 == 0 {
		return MLP
	}
	return Attention
}

func (f *fitter) copy(dst, src device.Tensor) {
	f.device.Columns(dst, src, []device.Move{{From: 0, To: 0, Count: src.Cols()}})
}
