package arch

import (
	"slices"

	"avssnative/engine/device"
)

// LFM2 (Liquid AI 2025): short convolutions with attention between them, norms on every head's queries and keys.
func init() {
	Register(Family{ModelTypes: []string{"lfm2"}, Build: buildLFM2, Drop: func(config map[string]any, layers int, kept []int) error {
		writeKinds(config, layers, lfm2Kinds(AsConfig(config)))
		config["full_attn_idxs"] = nil
		return nil
	}})
}

const convolution = "conv"

// lfm2Kinds is the rule of configurations without layer_types: full_attn_idxs lists the layers with attention; all of them where absent.
func lfm2Kinds(c *Config) func(layer int) string {
	full := c.Ints("full_attn_idxs")
	return func(layer int) string {
		if c.Has("full_attn_idxs") && !slices.Contains(full, layer) {
			return convolution
		}
		return fullAttention
	}
}

func buildLFM2(b *Builder) *Spec {
	// Older spellings of two keys.
	for old, key := range map[string]string{"block_ff_dim": "intermediate_size", "tie_embedding": "tie_word_embeddings"} {
		if b.Has(old) {
			b.Config = b.with(key, b.values[old])
		}
	}
	b.Config = b.with("intermediate_size", jsonNumber(b.lfm2Inner()))
	eps := b.Eps("norm_eps|block_norm_eps", 1e-5)
	s := b.decoder(decoder{eps: 1e-5, epsKey: "norm_eps|block_norm_eps", theta: 1000000, kvHeads: 8, tied: true,
		norms: [2]string{"operator_norm", "ffn_norm"}, final: "embedding_norm",
		names: [4]string{"self_attn.out_proj", "feed_forward.w1", "feed_forward.w3", "feed_forward.w2"}})
	s.headNorms(b, "self_attn.q_layernorm", "self_attn.k_layernorm", eps, 0)
	kinds := b.layerKinds(len(s.Blocks), lfm2Kinds(b.Config), fullAttention, convolution)
	biased, width := b.BoolOr("conv_bias", false), b.IntOr("conv_L_cache", 3)
	for i := range s.Blocks {
		if kinds[i] != convolution {
			continue
		}
		l := b.Layer("layers", i)
		all := l.Linear("conv.in_proj", 3*s.Hidden, s.Hidden, biased)
		c := &ConvolutionSpec{B: all.Part(device.Segment{At: 0, Count: s.Hidden}), C: all.Part(device.Segment{At: s.Hidden, Count: s.Hidden}), X: all.Part(device.Segment{At: 2 * s.Hidden, Count: s.Hidden}),
			O: l.Linear("conv.out_proj", s.Hidden, s.Hidden, biased), Kernel: l.kernel("conv.conv", s.Hidden, width)}
		if biased {
			c.Bias = l.Vector("conv.conv.bias", s.Hidden)
		}
		s.Blocks[i].Mixer = c
	}
	return s
}

// lfm2Inner is the MLP's width: two thirds of the configured one, times a factor, rounded up to a multiple, unless it is to be taken as it is.
func (b *Builder) lfm2Inner() int {
	inner := b.IntOr("intermediate_size", 12288)
	if !b.BoolOr("block_auto_adjust_ff_dim", true) {
		return inner
	}
	inner = 2 * inner / 3
	if _, there := b.values["block_ffn_dim_multiplier"]; there && !b.Has("block_ffn_dim_multiplier") {
		return inner
	}
	multiple := b.IntOr("block_multiple_of", 256)
	if multiple < 1 {
		b.Fail("block_multiple_of: %d, want at least 1", multiple)
		multiple = 1
	}
	inner = int(b.FloatOr("block_ffn_dim_multiplier", 1) * float64(inner))
	return multiple * ((inner + multiple - 1) / multiple)
}
