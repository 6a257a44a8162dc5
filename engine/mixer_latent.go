package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/device"
)

func (f *forward) latentAttention(a *arch.LatentSpec, x device.Tensor) device.Tensor {
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
	f.device.Columns(latent, down, []device.Move{{From: 0, To: 0, Count: a.Rank}})
	f.device.Columns(rotated, down, []device.Move{{From: a.Rank, To: 0, Count: a.Rotated}})
	f.give(down)
	f.norm(latent, latent, &a.KVNorm)
	f.rotate(rotated, a.Rope)
	if a.KHeads != nil {
		return f.absorbed(a, q, latent, rotated, a.KHeads, a.VHeads)
	}
	if f.cache != nil && f.cache.heads != nil {
		return f.absorbed(a, q, latent, rotated, f.cache.heads.keys, f.cache.heads.values)
	}
	still, v := f.linear(latent, &a.K), f.linear(latent, &a.V)
	k := f.take(a.Heads * width)
	var own, common []device.Move
	for h := range a.Heads {
		own = append(own, device.Move{From: h * a.Still, To: h * width, Count: a.Still})
		common = append(common, device.Move{From: 0, To: h*width + a.Still, Count: a.Rotated})
	}
	f.device.Columns(k, still, own)
	f.device.Columns(k, rotated, common)
	f.give(latent, rotated, still)

	mixed := f.take(a.Heads * a.Value)
	f.attend(mixed, q, k, v, device.Attention{Heads: a.Heads, KVHeads: a.Heads, HeadDim: width, ValueDim: a.Value, Scale: a.Scale, Causal: true})
	f.give(q)
	out := f.summed(mixed, &a.O)
	f.give(mixed)
	return out
}

// absorbed is the same attention with one key and value row for all heads: qᵀ(W_K c) is (W_Kᵀ q)ᵀc, and Σ p W_V c is W_V Σ p c (arXiv
// 2405.04434, section 2.1.2). It gives its arguments back.
func (f *forward) absorbed(a *arch.LatentSpec, q, latent, rotated device.Tensor, keys, values []arch.Linear) device.Tensor {
	width, wide := a.Still+a.Rotated, a.Rank+a.Rotated
	turned, key := f.take(a.Heads*wide), f.take(wide)
	own := f.take(a.Still)
	for h := range a.Heads {
		f.device.Columns(own, q, []device.Move{{From: h * width, To: 0, Count: a.Still}})
		t := f.linear(own, &keys[h])
		f.device.Columns(turned, t, []device.Move{{From: 0, To: h * wide, Count: a.Rank}})
		f.device.Columns(turned, q, []device.Move{{From: h*width + a.Still, To: h*wide + a.Rank, Count: a.Rotated}})
		f.give(t)
	}
	f.device.Columns(key, latent, []device.Move{{From: 0, To: 0, Count: a.Rank}})
	f.device.Columns(key, rotated, []device.Move{{From: 0, To: a.Rank, Count: a.Rotated}})
	f.give(q, rotated, own)

	mixed := f.take(a.Heads * a.Rank)
	f.attend(mixed, turned, key, latent, device.Attention{Heads: a.Heads, KVHeads: 1, HeadDim: wide, ValueDim: a.Rank, Scale: a.Scale, Causal: true})
	f.give(turned)
	joined, own := f.take(a.Heads*a.Value), f.take(a.Rank)
	for h := range a.Heads {
		f.device.Columns(own, mixed, []device.Move{{From: h * a.Rank, To: 0, Count: a.Rank}})
		v := f.linear(own, &values[h])
		f.device.Columns(joined, v, []device.Move{{From: 0, To: h * a.Value, Count: a.Value}})
		f.give(v)
	}
	f.give(mixed, own)
	out := f.linear(joined, &a.O)
	f.give(joined)
	return out
}
