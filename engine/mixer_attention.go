package engine

// AttentionSpec is softmax attention over heads (arXiv 1706.03762, grouped as in arXiv 2305.13245) with everything families add to it.
type AttentionSpec struct {
	Q, K, V, O Linear
	Attention  // heads, scale, masks; Sinks come from SinkLogits

	SinkLogits    Ref      // a logit a head; empty: none
	QNorm, KNorm  NormSpec // on queries and keys, a whole row or (Groups) a head
	NormAfterRope bool
	Rope          *Rotary     // nil: no rotary positions here
	Clip          float32     // queries, keys and values are limited to ±Clip; 0: not
	Temperature   Temperature // queries grow with their position
}

// Temperature multiplies the query at position p by 1 + Beta·ln(1 + ⌊(p+Shift)/Length⌋) (Llama 4's attention temperature tuning); Length 0: not.
type Temperature struct {
	Beta, Length, Shift float64
}

func (a *AttentionSpec) refs(visit func(*Ref)) {
	for _, l := range []*Linear{&a.Q, &a.K, &a.V, &a.O} {
		l.refs(visit)
	}
	visit(&a.SinkLogits)
	a.QNorm.refs(visit)
	a.KNorm.refs(visit)
}

func (a *AttentionSpec) mix(f *forward, x Tensor) Tensor {
	q, k, v := f.linear(x, &a.Q), f.linear(x, &a.K), f.linear(x, &a.V)
	if a.Clip > 0 {
		for _, t := range []Tensor{q, k, v} {
			f.device.Clamp(t, a.Clip)
		}
	}
	if !a.NormAfterRope {
		f.norm(q, q, &a.QNorm)
		f.norm(k, k, &a.KNorm)
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
		f.device.Scale(q, 1, a.Temperature.rows(f.positions))
	}
	mask := a.Attention
	if a.SinkLogits.Name != "" {
		mask.Sinks = f.weights.values[&a.SinkLogits]
	}
	mixed := f.take(a.Heads * a.ValueDim)
	f.device.Attention(mixed, q, k, v, mask, f.layout)
	f.give(q, k, v)
	out := f.linear(mixed, &a.O)
	f.give(mixed)
	return out
}
