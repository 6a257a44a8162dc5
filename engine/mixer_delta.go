package engine

import (
	"math"

	"avssnative/engine/arch"
	"avssnative/engine/device"
)

func (f *forward) deltaRule(s *arch.DeltaSpec, x device.Tensor) device.Tensor {
	q, k, v := f.convolved(s, x, &s.Q, &s.KernelQ, 0), f.convolved(s, x, &s.K, &s.KernelK, 1), f.convolved(s, x, &s.V, &s.KernelV, 2)
	unit := device.Norm{Kind: device.NormL2, Eps: 1e-6, Groups: s.KeyHeads}
	f.device.Norm(q, q, unit)
	f.device.Norm(k, k, unit)
	f.device.Scale(q, float32(1/math.Sqrt(float64(s.KeyDim))), nil)

	keyHeads := s.KeyHeads
	if s.Tiled {
		q, k, keyHeads = f.tile(s, q), f.tile(s, k), s.Heads
	}

	beta, gate := f.linear(x, &s.Beta), f.decay(s, x)
	f.device.Activate(beta, beta, nil, device.Activation{Kind: device.Sigmoid})
	mixed := f.take(s.Heads * s.ValueDim)
	f.recall(mixed, device.DeltaRule{Q: q, K: k, V: v, Gate: gate, Beta: beta,
		Heads: s.Heads, KeyHeads: keyHeads, KeyDim: s.KeyDim, ValueDim: s.ValueDim})
	f.give(q, k, v, beta, gate)
	f.norm(mixed, mixed, &s.Norm)
	z := f.linear(x, &s.Z)
	f.device.Activate(z, z, mixed, device.Activation{Kind: device.SiLU})
	f.give(mixed)
	out := f.summed(z, &s.O)
	f.give(z)
	return out
}

// tile repeats all key heads until every head has its own.
func (f *forward) tile(s *arch.DeltaSpec, x device.Tensor) device.Tensor {
	all := f.take(s.Heads * s.KeyDim)
	for h := 0; h < s.Heads; h += s.KeyHeads {
		f.device.Columns(all, x, []device.Move{{From: 0, To: h * s.KeyDim, Count: s.KeyHeads * s.KeyDim}})
	}
	f.give(x)
	return all
}

// convolved is a projection behind its convolution and activation.
func (f *forward) convolved(s *arch.DeltaSpec, x device.Tensor, l *arch.Linear, kernel *arch.Ref, which int) device.Tensor {
	in := f.linear(x, l)
	out := f.take(in.Cols())
	f.convolve(out, in, kernel, &arch.Ref{}, which)
	f.give(in)
	f.device.Activate(out, out, nil, s.Activation)
	return out
}

// decay is the logarithm of the decay, a head. It is computed on the host: a few values a token, and an exponential of an exponential that
// loses nothing there.
func (f *forward) decay(s *arch.DeltaSpec, x device.Tensor) device.Tensor {
	t := f.linear(x, &s.Decay)
	values := make([]float32, t.Rows()*s.Heads)
	f.device.Download(values, t, 0)
	logA, bias := f.weights.values[&s.LogA], f.weights.values[&s.TimeBias]
	for i, v := range values {
		h := i % s.Heads
		a := float64(v) + float64(bias[h])
		softplus := math.Max(a, 0) + math.Log1p(math.Exp(-math.Abs(a)))
		rate := float64(logA[h])
		if !s.Decaying {
			rate = -math.Exp(rate)
		}
		values[i] = float32(rate * softplus)
	}
	f.device.Upload(t, 0, values)
	return t
}
