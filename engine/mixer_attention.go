package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/device"
)

func (f *forward) attention(a *arch.AttentionSpec, x device.Tensor) device.Tensor {
	q, k, v := f.linear(x, &a.Q), f.linear(x, &a.K), f.linear(x, &a.V)
	if !a.ClipNormed {
		f.clip(a, q, k, v)
	}
	if !a.NormAfterRope {
		f.norm(q, q, &a.QNorm)
		f.norm(k, k, &a.KNorm)
	}
	if a.ClipNormed {
		f.clip(a, q, k, v)
	}
	if a.Rope != nil {
		f.rotate(q, a.Rope)
		f.rotate(k, a.Rope)
	}
	if a.NormAfterRope {
		f.norm(q, q, &a.QNorm)
		f.norm(k, k, &a.KNorm)
	}
	if a.Temperature.Length > 0 {
		f.device.Scale(q, 1, temperatures(a.Temperature, f.positions))
	}
	mask := a.Attention
	if a.SinkLogits.Name != "" {
		mask.Sinks = f.weights.values[&a.SinkLogits]
	}
	mixed := f.take(a.Heads * a.ValueDim)
	f.attend(mixed, q, k, v, mask)
	f.give(q)
	if a.Gate.Weight.Name != "" {
		gate := f.linear(x, &a.Gate)
		f.device.Activate(gate, gate, mixed, device.Activation{Kind: device.Sigmoid})
		f.give(mixed)
		mixed = gate
	}
	out := f.summed(mixed, &a.O)
	f.give(mixed)
	return out
}

// clip limits tensors' values to ±Clip.
func (f *forward) clip(a *arch.AttentionSpec, tensors ...device.Tensor) {
	for _, t := range tensors {
		if a.Clip > 0 {
			f.device.Clamp(t, a.Clip)
		}
	}
}
