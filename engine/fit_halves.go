package engine

import (
	"context"

	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// Which linear layers a fit has solved, half by half.

// A half is an attention (even) or an MLP (odd); half 2l+1 is the MLP of layer l.
func (f *fitter) halves() (stay []int) {
	for half := range 2 * f.model.Layers() {
		if u := Half(half); f.model.Has(u) && (!f.fit.Drop.Has(u) || f.linear(half)) {
			stay = append(stay, half)
		}
	}
	return stay
}

// gone says whether the model has any of the halves from..to, all of which are dropped.
func (f *fitter) gone(from, to int) bool {
	for half := from; half < to; half++ {
		if f.model.Has(Half(half)) {
			return true
		}
	}
	return false
}

// linears are what of a half is solved: inner layers that share their input, and the projection that adds to the stream; nil where the half's
// kind has none that this can do.
func (f *fitter) linears(half int) (inner []*arch.Linear, out *arch.Linear, post *arch.NormSpec) {
	b := &f.model.Spec.Blocks[half/2]
	if half%2 == 0 {
		switch m := b.Mixer.(type) {
		case *arch.AttentionSpec:
			return []*arch.Linear{&m.Q, &m.K, &m.V}, &m.O, &b.Post1
		case *arch.LatentSpec:
			return nil, &m.O, &b.Post1
		case *arch.DeltaSpec:
			return nil, &m.O, &b.Post1
		case *arch.ConvolutionSpec:
			return nil, &m.O, &b.Post1
		case *arch.LinearSpec:
			return nil, &m.O, &b.Post1
		}
		return nil, nil, nil
	}
	if m, gated := b.MLP.(*arch.GatedSpec); gated {
		inner = []*arch.Linear{&m.Up}
		if m.Gate.Weight.Name != "" {
			inner = append(inner, &m.Gate)
		}
		return inner, &m.Down, &b.Post2
	}
	return nil, nil, nil
}

// mixture is the mixture of experts that a half is, whose projections are solved; nil: it is none, or a gap's one projection is wanted.
func (f *fitter) mixture(half int) *arch.ExpertsSpec {
	e, _ := f.model.Spec.Blocks[half/2].MLP.(*arch.ExpertsSpec)
	if half%2 == 0 || f.fit.Gaps {
		return nil
	}
	return e
}

// solve fits what a half has: its inner layers where a gap lies before it, then its projection. target is the dense stream that it shall reach.
func (f *fitter) solve(ctx context.Context, half int, target device.Tensor, behind, gap bool) error {
	f.gap = gap
	if e := f.mixture(half); e != nil {
		return f.reachMixture(ctx, half, e, target, gap)
	}
	inner, out, post := f.linears(half)
	if out == nil {
		return nil
	}
	if f.fit.Inner && behind && len(inner) > 0 {
		if err := f.say(ctx, half, inner); err != nil {
			return err
		}
	}
	return f.reach(ctx, half, out, target, post)
}

// say fits inner layers to what they say on the dense stream.
func (f *fitter) say(ctx context.Context, half int, inner []*arch.Linear) error {
	var dense *layerWeights // loaded where something is summed up
	defer func() {
		if dense != nil {
			f.release(dense)
		}
	}()
	return f.sum(ctx, half, inner, func(fw *forward, b batch, wanted []device.Tensor) (err error) {
		if dense == nil {
			if dense, err = f.model.load(f.device, f.model.Tensors, f.model.Spec.Blocks[half/2].Refs); err != nil {
				return err
			}
		}
		x := f.entering(f.forward(b, dense), f.of(f.dense, b), half, inner[0])
		defer fw.give(x)
		for i, l := range inner {
			f.device.Product(wanted[i], x, dense.matrices[&l.Weight], dense.vector(&l.Bias))
		}
		return f.device.Sync()
	}, nil)
}

// reach fits a projection that adds to the stream, so that the pruned stream comes to the target.
func (f *fitter) reach(ctx context.Context, half int, out *arch.Linear, target device.Tensor, post *arch.NormSpec) error {
	f.target = target
	defer func() { f.target = nil }()
	residual := f.block(half).Residual
	return f.sum(ctx, half, []*arch.Linear{out}, func(fw *forward, b batch, wanted []device.Tensor) error {
		f.device.Add(wanted[0], f.of(target, b), f.of(f.pruned, b), -1)
		if residual != 0 && residual != 1 {
			f.device.Scale(wanted[0], 1/residual, nil)
		}
		return nil
	}, post)
}
