package cuda

import (
	"avssnative/engine/device"
)

// What walks along a sequence, its prefix first: the kernels convolve and delta.

// Convolve is a causal depthwise convolution along each sequence.
func (d *gpu) Convolve(dst, x, kernel, bias device.Tensor, l *device.Layout) {
	d.do("convolve", func() error {
		a := arguments{d: d}
		from := a.tensor("x", x, any_, any_)
		to := a.tensor("dst", dst, from.rows, from.cols)
		taps := a.tensor("kernel", kernel, from.cols, any_)
		shift := a.optional("bias", bias, 1, from.cols)
		a.apart(to, from, taps, shift)
		a.layout(l, from.rows)
		if a.err != nil || to.empty() {
			return a.err
		}
		p, err := d.placeOf(to, l)
		if err != nil {
			return err
		}
		return d.launch(cells(to.rows, to.cols), kernelConvolve(to.view(), from.view(), taps.view(), shift.at(), address[[4]int32](p.places.at),
			taps.cols, to.rows, to.cols))
	})
}

// DeltaRule is the gated delta rule along each sequence.
func (d *gpu) DeltaRule(dst device.Tensor, r device.DeltaRule, l *device.Layout) {
	d.do("delta rule", func() error {
		a := arguments{d: d}
		a.want(r.Heads > 0 && r.KeyHeads > 0 && r.Heads%max(r.KeyHeads, 1) == 0, "%d heads with %d key heads", r.Heads, r.KeyHeads)
		a.want(r.KeyDim > 0 && r.ValueDim > 0 && r.KeyDim <= maxHead, "keys of %d, values of %d; keys of at most %d", r.KeyDim, r.ValueDim, maxHead)
		q := a.tensor("q", r.Q, any_, r.KeyHeads*r.KeyDim)
		k := a.tensor("k", r.K, q.rows, r.KeyHeads*r.KeyDim)
		v := a.tensor("v", r.V, q.rows, r.Heads*r.ValueDim)
		gate := a.tensor("gate", r.Gate, q.rows, r.Heads)
		beta := a.tensor("beta", r.Beta, q.rows, r.Heads)
		to := a.tensor("dst", dst, q.rows, r.Heads*r.ValueDim)
		a.layout(l, q.rows)
		if a.err != nil {
			return a.err
		}
		kept := a.optional("state", r.State, l.Sequences(), r.Heads*r.KeyDim*r.ValueDim)
		a.want(kept == nil || l.Prefix == nil, "a state for sequences that have prefixes")
		a.apart(to, q, k, v, gate, beta, kept)
		a.apart(kept, q, k, v, gate, beta)
		if a.err != nil || to.empty() {
			return a.err
		}
		if kept != nil {
			if err := kept.wrote(); err != nil {
				return err
			}
		}
		p, err := d.placeOf(to, l)
		if err != nil {
			return err
		}
		blocks := grid(32, l.Sequences(), r.Heads*upTo(r.ValueDim, 32), 34*4*r.KeyDim)
		return d.launch(blocks, kernelDelta(to.view(), q.view(), k.view(), v.view(), gate.view(), beta.view(), kept.view(),
			address[[4]int32](p.spans.at), r.KeyDim, r.ValueDim, r.Heads, r.KeyHeads))
	})
}
