package arch

import (
	"avssnative/engine/device"
)

// OLMo (arXiv 2402.00838): layer norms without weights, queries, keys and values clipped. OLMo 2 (arXiv 2501.00656) norms what attention
// and MLP give instead of what they get, and queries and keys as whole rows. OLMo 3 has three sliding layers for a full one; only the full
// ones stretch their positions.
func init() {
	Register(Family{ModelTypes: []string{"olmo"}, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		s := b.decoder(decoder{attentionB: biased, outputB: biased, norm: func(_ *Builder, _ string, _ int, _ float64) NormSpec {
			return NormSpec{Kind: device.NormLayer, Eps: 1e-5}
		}})
		return s.clip(b)
	}})
	Register(Family{ModelTypes: []string{"olmo2"}, Build: func(b *Builder) *Spec { return b.olmo2(10000) }})
	Register(Family{ModelTypes: []string{"olmo3"}, Drop: dropRule(everyNth(4)), Build: func(b *Builder) *Spec {
		s := b.olmo2(0)
		kinds := b.layerKinds(len(s.Blocks), everyNth(4), fullAttention, slidingAttention)
		ropes := b.ropeTable(s.attention(0).HeadDim, 500000, b.FloatOr("rope_theta", 500000))
		for i := range s.Blocks {
			s.attention(i).Rope = ropes[kinds[i]]
		}
		return s.slide(kinds, b.windowOr(4096))
	}})
}

// clip limits queries, keys and values to ±clip_qkv.
func (s *Spec) clip(b *Builder) *Spec {
	for i := range s.Blocks {
		s.attention(i).Clip = float32(b.FloatOr("clip_qkv", 0))
	}
	return s
}

// olmo2 is the block of OLMo 2 and 3; theta 0 leaves the positions to the caller.
func (b *Builder) olmo2(theta float64) *Spec {
	biased := b.BoolOr("attention_bias", false)
	s := b.decoder(decoder{eps: 1e-5, theta: theta, noRope: theta == 0, attentionB: biased, outputB: biased})
	s.normAfter(b)
	eps := b.Eps("rms_norm_eps", 1e-5)
	for i := range s.Blocks {
		s.attention(i).rowNorms(b.Layer("layers", i), eps)
	}
	return s
}

// normAfter moves the two norms of a block behind attention and MLP.
func (s *Spec) normAfter(b *Builder) {
	eps := float64(s.Final.Eps)
	for i := range s.Blocks {
		block, l := &s.Blocks[i], b.Layer("layers", i)
		block.Norm1, block.Post1 = NormSpec{}, block.Norm2
		block.Norm2, block.Post2 = NormSpec{}, l.RMS("post_feedforward_layernorm", s.Hidden, eps)
	}
}

// rowNorms puts an RMS norm over whole rows on queries and keys.
func (a *AttentionSpec) rowNorms(l *Builder, eps float64) {
	a.QNorm, a.KNorm = l.RMS("self_attn.q_norm", a.Heads*a.HeadDim, eps), l.RMS("self_attn.k_norm", a.KVHeads*a.HeadDim, eps)
}
