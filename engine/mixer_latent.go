package engine

// LatentSpec is multi-head latent attention (arXiv 2405.04434, section 2.1): keys and values are made from a narrow latent row, queries
// perhaps too; a part of every head rotates, and its keys are one row for all heads.
type LatentSpec struct {
	QDown  Linear   // hidden → query rank; empty: queries are made from the block's input
	QNorm  NormSpec // on the query's latent row
	Q      Linear   // → heads·(Still+Rotated)
	KVDown Linear   // hidden → Rank+Rotated: the latent row, then the rotated key
	KVNorm NormSpec // on the latent row
	K, V   Linear   // Rank → heads·Still, heads·Value
	O      Linear

	Heads, Still, Rotated, Value, Rank int
	Scale                              float32
	Rope                               *Rotary // over Rotated columns
}

func (a *LatentSpec) refs(visit func(*Ref)) {
	for _, l := range []*Linear{&a.QDown, &a.Q, &a.KVDown, &a.K, &a.V, &a.O} {
		l.refs(visit)
	}
	a.QNorm.refs(visit)
	a.KVNorm.refs(visit)
}

func (a *LatentSpec) mix(f *forward, x Tensor) Tensor {
	width := a.Still + a.Rotated
	from := x
	if a.QDown.Weight.Name != "" {
		from = f.linear(x, &a.QDown)
		f.norm(from, from, &a.QNorm)
	}
	q := f.linear(from, &a.Q)
	f.drop(from, x)
	rope := *a.Rope
	rope.HeadDim, rope.Offset = width, a.Still
	f.rotate(q, &rope)

	down := f.linear(x, &a.KVDown)
	latent, rotated := f.take(a.Rank), f.take(a.Rotated)
	f.device.Columns(latent, down, []Move{{From: 0, To: 0, Count: a.Rank}})
	f.device.Columns(rotated, down, []Move{{From: a.Rank, To: 0, Count: a.Rotated}})
	f.give(down)
	f.norm(latent, latent, &a.KVNorm)
	f.rotate(rotated, a.Rope)
	still, v := f.linear(latent, &a.K), f.linear(latent, &a.V)
	k := f.take(a.Heads * width)
	var own, common []Move
	for h := range a.Heads {
		own = append(own, Move{From: h * a.Still, To: h * width, Count: a.Still})
		common = append(common, Move{From: 0, To: h*width + a.Still, Count: a.Rotated})
	}
	f.device.Columns(k, still, own)
	f.device.Columns(k, rotated, common)
	f.give(latent, rotated, still)

	mixed := f.take(a.Heads * a.Value)
	f.device.Attention(mixed, q, k, v, Attention{Heads: a.Heads, KVHeads: a.Heads, HeadDim: width, ValueDim: a.Value, Scale: a.Scale, Causal: true}, f.layout)
	f.give(q, k, v)
	out := f.summed(mixed, &a.O)
	f.give(mixed)
	return out
}
