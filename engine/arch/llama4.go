package arch

import (
	"avssnative/engine/device"
)

// Llama 4 (Meta 2025): layers that see chunks and rotate neighbouring pairs, their queries and keys normed after, beside layers without
// positions that see all and whose queries grow with their position; one expert a token beside a shared one, its weight on what enters it.
func init() {
	Register(Family{ModelTypes: []string{"llama4_text"}, Drop: dropLlama4, Build: buildLlama4})
}

const chunkedAttention = "chunked_attention"

func buildLlama4(b *Builder) *Spec {
	biased, eps := b.BoolOr("attention_bias", false), b.Eps("rms_norm_eps", 1e-5)
	s := b.decoder(decoder{eps: 1e-5, theta: 500000, kvHeads: 8, headDim: 128, neighbours: true, attentionB: biased, outputB: biased,
		names: [4]string{"", "feed_forward.gate_proj", "feed_forward.up_proj", "feed_forward.down_proj"}})
	rotates := b.rotates(len(s.Blocks))
	kinds := b.layerKinds(len(s.Blocks), llama4Chunks(rotates), fullAttention, chunkedAttention)
	has, act := b.llama4Experts(len(s.Blocks)), b.Activation("hidden_act", "silu")
	inner, dense := b.Int("intermediate_size"), b.IntOr("intermediate_size_mlp", 16384)
	for i := range s.Blocks {
		a, l := s.attention(i), b.Layer("layers", i)
		switch {
		case !rotates[i]:
			a.Rope = nil
			if b.BoolOr("attn_temperature_tuning", true) {
				a.Temperature = Temperature{Beta: b.FloatOr("attn_scale", 0.1), Length: b.positive("floor_scale", 8192), Shift: 1}
			}
		case b.BoolOr("use_qk_norm", true):
			a.QNorm, a.KNorm = NormSpec{Kind: device.NormRMS, Eps: float32(eps), Groups: a.Heads}, NormSpec{Kind: device.NormRMS, Eps: float32(eps), Groups: a.KVHeads}
			a.NormAfterRope = true
		}
		if kinds[i] == chunkedAttention {
			a.Chunk = b.absentOr("attention_chunk_size", 8192, 0)
		}
		if has[i] {
			e := l.mixture(experts{hidden: s.Hidden, inner: inner, count: b.expertCount(), activation: act, byColumns: true,
				routing: Routing{Score: SigmoidScore, Top: b.IntOr("num_experts_per_tok", 1), OnInput: true}})
			e.Shared = l.gated("feed_forward.shared_expert", inner, s.Hidden, act)
			s.Blocks[i].MLP = e
		} else {
			s.Blocks[i].MLP = l.gated("feed_forward", dense, s.Hidden, act)
		}
	}
	return s
}

func llama4Chunks(rotates []bool) func(layer int) string {
	return func(layer int) string {
		if rotates[layer] {
			return chunkedAttention
		}
		return fullAttention
	}
}

// llama4Experts says which layers hold experts: moe_layers, or every interleave_moe_layer_step'th.
func (c *Config) llama4Experts(layers int) []bool {
	has, step := make([]bool, layers), c.IntOr("interleave_moe_layer_step", 1)
	if c.Has("moe_layers") {
		for _, layer := range c.Ints("moe_layers") {
			if layer >= 0 && layer < layers {
				has[layer] = true
			}
		}
		return has
	}
	for i := range has {
		has[i] = step > 0 && (i+1)%step == 0
	}
	return has
}

func dropLlama4(config map[string]any, layers int, kept []int) error {
	c := AsConfig(config)
	rotates, has := c.rotates(layers), c.llama4Experts(layers)
	writeKinds(config, layers, llama4Chunks(rotates))
	writeRotates(config, rotates)
	with := []any{}
	for to, from := range kept {
		if has[from] {
			with = append(with, to)
		}
	}
	config["moe_layers"] = with
	return c.Err()
}
