package engine

import (
	"context"
	"fmt"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// How a fit puts linear maps in the place of attentions (NBL, arXiv 2505.21077, section 3, without a bias, for which the formats have no place):
// W = C_yx·C_xx⁻¹ over the rows x of the attention's normed input and y of what the stream lacks without it. Where the stream is the dense one, y
// is what the attention adds; behind other maps it makes up for their errors too.

// linear says whether a half is an attention in whose place a linear map comes.
func (f *fitter) linear(half int) bool {
	return f.fit.Linear && half%2 == 0 && f.fit.Drop.of(half/2) == Attention
}

// block is how a half of the pruned model is computed.
func (f *fitter) block(half int) *arch.BlockSpec {
	if f.linear(half) {
		return f.repair.maps[half/2]
	}
	return &f.model.Spec.Blocks[half/2]
}

// solveLinear puts a linear map in the place of an attention and fits it.
func (f *fitter) solveLinear(ctx context.Context, half int, target device.Tensor, gap bool) error {
	layer, hidden := half/2, f.model.Spec.Hidden
	kind, err := f.model.LinearType(layer)
	if err != nil {
		return err
	}
	values, size, err := kind.Block()
	if err != nil {
		return fmt.Errorf("engine: fit: layer %d: %w", layer, err)
	}
	if err := f.repair.Linear(layer, weights.Stored{Type: kind, Data: make([]byte, hidden*hidden/values*size)}); err != nil {
		return err
	}
	f.gap = gap
	block := f.repair.maps[layer]
	return f.reach(ctx, half, &block.Mixer.(*arch.LinearSpec).O, target, &block.Post1)
}
