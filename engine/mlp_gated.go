package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/device"
)

func (f *forward) gated(g *arch.GatedSpec, x device.Tensor) device.Tensor {
	act := f.pool.take(x.Rows(), f.weights.matrices[&g.Down.Weight].In())
	f.activated(g, act, x)
	out := f.summed(act, &g.Down)
	f.act = act
	return out
}

// activated computes what enters the output projection.
func (f *forward) activated(g *arch.GatedSpec, act, x device.Tensor) {
	if g.Activation.Interleaved {
		both := f.linear(x, &g.Up)
		f.device.Activate(act, both, nil, g.Activation)
		f.give(both)
		return
	}
	first := &g.Gate
	if g.Gate.Weight.Name == "" {
		first = &g.Up
	}
	f.show(first, x)
	f.product(act, x, first)
	if first == &g.Up {
		f.device.Activate(act, act, nil, g.Activation)
		return
	}
	up := f.linear(x, &g.Up)
	f.device.Activate(act, act, up, g.Activation)
	f.give(up)
}
