package arch

import (
	"avssnative/engine/device"
)

// Qwen3-Next (Qwen 2025): three layers with the gated delta rule for one with attention, whose heads are gated; norms that multiply by one
// plus their weight; experts with a gated shared one. Qwen3.5's text models have the same mixers, their projections stored apart, before a
// dense MLP or experts.
func init() {
	Register(Family{ModelTypes: []string{"qwen3_next"}, Drop: dropQwen3Next, Build: func(b *Builder) *Spec {
		s := b.qwen3Next(2, true)
		routing := Routing{Top: b.IntOr("num_experts_per_tok", 10), Normalise: b.BoolOr("norm_topk_prob", true)}
		return b.gatedMixtures(s, routing, b.sparse())
	}})
	Register(Family{ModelTypes: []string{"qwen3_5_text"}, Drop: dropQwen3Next, Build: func(b *Builder) *Spec {
		return b.qwen3Next(4, false)
	}})
	Register(Family{ModelTypes: []string{"qwen3_5_moe_text"}, Drop: dropQwen35Moe, Build: func(b *Builder) *Spec {
		if !b.Has("intermediate_size") { // no layer is dense
			b.Config = b.with("intermediate_size", jsonNumber(b.IntOr("moe_intermediate_size", 512)))
		}
		routing := Routing{Top: b.IntOr("num_experts_per_tok", 8), Normalise: true}
		return b.gatedMixtures(b.qwen3Next(2, false), routing, allLayers)
	}})
}

// gatedMixtures puts experts into the layers that has says, a gated one that every token visits beside them.
func (b *Builder) gatedMixtures(s *Spec, routing Routing, has func(layer int) bool) *Spec {
	b.mixtures(s, b.IntOr("moe_intermediate_size", 512), routing, has)
	shared := b.IntOr("shared_expert_intermediate_size", 512)
	for i := range s.Blocks {
		if e, ok := s.Blocks[i].MLP.(*ExpertsSpec); ok && shared > 0 {
			l := b.Layer("layers", i)
			e.Shared = l.gated("mlp.shared_expert", shared, s.Hidden, e.Experts[0].Activation)
			e.SharedGate = l.Linear("mlp.shared_expert_gate", 1, s.Hidden, false)
		}
	}
	return s
}

const linearAttention = "linear_attention"

// linearThenFull is the rule of configurations without layer_types.
func linearThenFull(c *Config) func(layer int) string {
	full := everyNth(c.IntOr("full_attention_interval", 4))
	return func(layer int) string {
		if full(layer) == fullAttention {
			return fullAttention
		}
		return linearAttention
	}
}

func dropQwen3Next(config map[string]any, layers int, kept []int) error {
	c := AsConfig(config)
	writeKinds(config, layers, linearThenFull(c))
	if c.Has("num_experts") || c.Has("num_local_experts") {
		return dropSparse(config, layers, kept)
	}
	return c.Err()
}

func dropQwen35Moe(config map[string]any, layers int, kept []int) error {
	c := AsConfig(config)
	writeKinds(config, layers, linearThenFull(c))
	return c.Err()
}

func (b *Builder) qwen3Next(kvHeads int, fused bool) *Spec {
	biased, eps := b.BoolOr("attention_bias", false), b.Eps("rms_norm_eps", 1e-6)
	s := b.decoder(decoder{kvHeads: kvHeads, headDim: 256, share: 0.25, attentionB: biased, outputB: biased, norm: rmsOne})
	s.headNorms(b, "self_attn.q_norm", "self_attn.k_norm", eps, 1)
	kinds := b.layerKinds(len(s.Blocks), linearThenFull(b.Config), fullAttention, linearAttention)
	for i := range s.Blocks {
		l := b.Layer("layers", i)
		if kinds[i] == linearAttention {
			s.Blocks[i].Mixer = l.delta(s.Hidden, eps, fused)
			continue
		}
		a := s.attention(i)
		both := l.Linear("self_attn.q_proj", 2*a.Heads*a.HeadDim, s.Hidden, biased)
		a.Q = both.Part(Heads(a.Heads, 2*a.HeadDim, 0, a.HeadDim)...)
		a.Gate = both.Part(Heads(a.Heads, 2*a.HeadDim, a.HeadDim, a.HeadDim)...)
	}
	return s
}

// delta refers to a layer's delta rule. Fused projections are grouped by key head: its query, its key, the values of its value heads, and
// their gates.
func (b *Builder) delta(hidden int, eps float64, fused bool) *DeltaSpec {
	s := &DeltaSpec{Heads: b.IntOr("linear_num_value_heads", 32), KeyHeads: b.IntOr("linear_num_key_heads", 16),
		KeyDim: b.IntOr("linear_key_head_dim", 128), ValueDim: b.IntOr("linear_value_head_dim", 128), Activation: b.Activation("hidden_act", "silu")}
	if s.KeyHeads < 1 || s.Heads < 1 || s.Heads%s.KeyHeads != 0 || s.KeyDim < 1 || s.ValueDim < 1 {
		b.Fail("linear_num_value_heads %d, linear_num_key_heads %d: want whole groups of heads", s.Heads, s.KeyHeads)
		s.Heads, s.KeyHeads, s.KeyDim, s.ValueDim = 1, 1, 1, 1
	}
	n, keys, values := s.Heads/s.KeyHeads, s.KeyHeads*s.KeyDim, s.Heads*s.ValueDim
	if fused && !b.Stored("linear_attn.in_proj_qkv.weight") {
		group := 2*s.KeyDim + 2*n*s.ValueDim
		all := b.Linear("linear_attn.in_proj_qkvz", s.KeyHeads*group, hidden, false)
		s.Q = all.Part(Heads(s.KeyHeads, group, 0, s.KeyDim)...)
		s.K = all.Part(Heads(s.KeyHeads, group, s.KeyDim, s.KeyDim)...)
		s.V = all.Part(Heads(s.KeyHeads, group, 2*s.KeyDim, n*s.ValueDim)...)
		s.Z = all.Part(Heads(s.KeyHeads, group, 2*s.KeyDim+n*s.ValueDim, n*s.ValueDim)...)
	} else {
		all := b.Linear("linear_attn.in_proj_qkv", 2*keys+values, hidden, false)
		s.Q, s.K, s.V = all.Part(device.Segment{At: 0, Count: keys}), all.Part(device.Segment{At: keys, Count: keys}), all.Part(device.Segment{At: 2 * keys, Count: values})
		s.Z = b.Linear("linear_attn.in_proj_z", values, hidden, false)
	}
	if fused {
		both := b.Linear("linear_attn.in_proj_ba", 2*s.Heads, hidden, false)
		s.Beta, s.Decay = both.Part(Heads(s.KeyHeads, 2*n, 0, n)...), both.Part(Heads(s.KeyHeads, 2*n, n, n)...)
	} else {
		s.Beta, s.Decay = b.Linear("linear_attn.in_proj_b", s.Heads, hidden, false), b.Linear("linear_attn.in_proj_a", s.Heads, hidden, false)
	}
	width := b.IntOr("linear_conv_kernel_dim", 4)
	kernel := func(first, channels int) Ref {
		r := b.kernel("linear_attn.conv1d", 2*keys+values, width)
		r.Offset, r.Out = first*width, channels
		return r
	}
	s.KernelQ, s.KernelK, s.KernelV = kernel(0, keys), kernel(keys, keys), kernel(2*keys, values)
	s.LogA, s.TimeBias = b.Vector("linear_attn.A_log", s.Heads), b.Vector("linear_attn.dt_bias", s.Heads)
	s.Norm = b.RMS("linear_attn.norm", s.ValueDim, eps)
	s.Norm.Groups = s.Heads
	s.O = b.Linear("linear_attn.out_proj", hidden, values, false)
	return s
}

// kernel refers to a depthwise convolution's kernel, stored [channels × 1 × width].
func (b *Builder) kernel(name string, channels, width int) Ref {
	return Ref{Name: b.prefix + name + ".weight", Shape: []int{channels, 1, width}, Out: channels, In: width, Table: true}
}
