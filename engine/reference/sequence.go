package reference

import (
	"math"

	"avssnative/engine/device"
)

// Device "reference": what walks along a sequence, its prefix first.

func (d *plain) Convolve(dst, x, kernel, bias device.Tensor, l *device.Layout) {
	c := d.check("convolve")
	from := c.tensor("x", x, anyExtent, anyExtent)
	to := c.tensor("dst", dst, from.rows, from.cols)
	taps := c.tensor("kernel", kernel, from.cols, anyExtent)
	shift := c.optional("bias", bias, 1, from.cols)
	c.apart(to, from, taps, shift)
	c.layout(l, from.rows)
	if c.failed() {
		return
	}
	for sequence := range l.Sequences() {
		rows := history(l, sequence)
		own := int(l.Start[sequence+1] - l.Start[sequence])
		d.each(own, func(i int) {
			t := len(rows) - own + i
			for channel := range to.line(rows[t]) {
				sum := 0.0
				if shift != nil {
					sum = shift.line(0)[channel]
				}
				for w, tap := range taps.line(channel) {
					if at := t - taps.cols + 1 + w; at >= 0 {
						sum += tap * from.line(rows[at])[channel]
					}
				}
				to.line(rows[t])[channel] = sum
			}
		})
	}
}

func (d *plain) DeltaRule(dst device.Tensor, r device.DeltaRule, l *device.Layout) {
	c := d.check("delta rule")
	c.want(r.Heads > 0 && r.KeyHeads > 0 && r.Heads%max(r.KeyHeads, 1) == 0, "%d heads with %d key heads", r.Heads, r.KeyHeads)
	c.want(r.KeyDim > 0 && r.ValueDim > 0, "keys of %d, values of %d", r.KeyDim, r.ValueDim)
	q := c.tensor("q", r.Q, anyExtent, r.KeyHeads*r.KeyDim)
	k := c.tensor("k", r.K, q.rows, r.KeyHeads*r.KeyDim)
	v := c.tensor("v", r.V, q.rows, r.Heads*r.ValueDim)
	gate := c.tensor("gate", r.Gate, q.rows, r.Heads)
	beta := c.tensor("beta", r.Beta, q.rows, r.Heads)
	to := c.tensor("dst", dst, q.rows, r.Heads*r.ValueDim)
	c.layout(l, q.rows)
	if c.failed() {
		return
	}
	kept := c.optional("state", r.State, l.Sequences(), r.Heads*r.KeyDim*r.ValueDim)
	c.want(kept == nil || l.Prefix == nil, "a state for sequences that have prefixes")
	c.apart(to, q, k, v, gate, beta, kept)
	if c.failed() {
		return
	}
	d.each(l.Sequences()*r.Heads, func(i int) {
		sequence, head := i/r.Heads, i%r.Heads
		keyHead := head / (r.Heads / r.KeyHeads)
		state := make([][]float64, r.KeyDim)
		for a := range state {
			state[a] = make([]float64, r.ValueDim)
			if kept != nil {
				state[a] = kept.line(sequence)[(head*r.KeyDim+a)*r.ValueDim:][:r.ValueDim]
			}
		}
		for _, row := range history(l, sequence) {
			out := make([]float64, r.ValueDim)
			step(state, out,
				q.line(row)[keyHead*r.KeyDim:][:r.KeyDim],
				k.line(row)[keyHead*r.KeyDim:][:r.KeyDim],
				v.line(row)[head*r.ValueDim:][:r.ValueDim],
				math.Exp(gate.line(row)[head]), beta.line(row)[head])
			if row >= int(l.Start[sequence]) && row < int(l.Start[sequence+1]) {
				copy(to.line(row)[head*r.ValueDim:], out)
			}
		}
	})
}

// step takes a state one token on: it decays, is corrected towards v at k, and is read at q.
func step(state [][]float64, out, q, k, v []float64, decay, beta float64) {
	recalled := make([]float64, len(v))
	for a := range state {
		for b := range state[a] {
			state[a][b] *= decay
			recalled[b] += state[a][b] * k[a]
		}
	}
	for a := range state {
		for b := range state[a] {
			state[a][b] += k[a] * beta * (v[b] - recalled[b])
			out[b] += state[a][b] * q[a]
		}
	}
}
