package engine

import "math"

// DeltaSpec is the gated delta rule as a mixer (arXiv 2412.06464; Qwen3-Next): queries, keys and values pass a short convolution and an
// activation, the rule runs along the sequence, every head's result is normed and gated.
type DeltaSpec struct {
	Q, K, V, Z                Linear // Z: the gate of the result
	Beta, Decay               Linear // hidden → heads
	KernelQ, KernelK, KernelV Ref    // [channels × width]
	LogA, TimeBias            Ref    // a head: decay g = −exp(LogA)·softplus(Decay(x) + TimeBias)
	Norm                      NormSpec
	O                         Linear
	Activation                Activation // behind the convolution
	Heads, KeyHeads           int
	KeyDim, ValueDim          int

	Decaying bool // LogA holds −exp(LogA)
	Tiled    bool // head h is of key head h mod KeyHeads; else each key head has the next Heads/KeyHeads heads
}

func (s *DeltaSpec) refs(visit func(*Ref)) {
	for _, l := range []*Linear{&s.Q, &s.K, &s.V, &s.Z, &s.Beta, &s.Decay, &s.O} {
		l.refs(visit)
	}
	for _, r := range []*Ref{&s.KernelQ, &s.KernelK, &s.KernelV, &s.LogA, &s.TimeBias} {
		visit(r)
	}
	s.Norm.refs(visit)
}

func (s *DeltaSpec) mix(f *forward, x Tensor) Tensor {
	q, k, v := s.convolved(f, x, &s.Q, &s.KernelQ), s.convolved(f, x, &s.K, &s.KernelK), s.convolved(f, x, &s.V, &s.KernelV)
	unit := Norm{Kind: NormL2, Eps: 1e-6, Groups: s.KeyHeads}
	f.device.Norm(q, q, unit)
	f.device.Norm(k, k, unit)
	f.device.Scale(q, float32(1/math.Sqrt(float64(s.KeyDim))), nil)

	keyHeads := s.KeyHeads
	if s.Tiled {
		q, k, keyHeads = s.tile(f, q), s.tile(f, k), s.Heads
	}

	beta, gate := f.linear(x, &s.Beta), s.decay(f, x)
	f.device.Activate(beta, beta, nil, Activation{Kind: Sigmoid})
	mixed := f.take(s.Heads * s.ValueDim)
	f.device.DeltaRule(mixed, DeltaRule{Q: q, K: k, V: v, Gate: gate, Beta: beta,
		Heads: s.Heads, KeyHeads: keyHeads, KeyDim: s.KeyDim, ValueDim: s.ValueDim}, f.layout)
	f.give(q, k, v, beta, gate)
	f.norm(mixed, mixed, &s.Norm)
	z := f.linear(x, &s.Z)
	f.device.Activate(z, z, mixed, Activation{Kind: SiLU})
	f.give(mixed)
	out := f.summed(z, &s.O)
	f.give(z)
	return out
}

// tile repeats all key heads until every head has its own.
func (s *DeltaSpec) tile(f *forward, x Tensor) Tensor {
	all := f.take(s.Heads * s.KeyDim)
	for h := 0; h < s.Heads; h += s.KeyHeads {
		f.device.Columns(all, x, []Move{{From: 0, To: h * s.KeyDim, Count: s.KeyHeads * s.KeyDim}})
	}
	f.give(x)
	return all
}

// convolved is a projection behind its convolution and activation.
func (s *DeltaSpec) convolved(f *forward, x Tensor, l *Linear, kernel *Ref) Tensor {
	in := f.linear(x, l)
	out := f.take(in.Cols())
	f.device.Convolve(out, in, f.weights.vector(kernel), nil, f.layout)
	f.give(in)
	f.device.Activate(out, out, nil, s.Activation)
	return out
}

// decay is the logarithm of the decay, a head. It is computed on the host: a few values a token, and an exponential of an exponential that
// loses nothing there.
func (s *DeltaSpec) decay(f *forward, x Tensor) Tensor {
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
