package arch

import (
	"avssnative/engine/device"
)

// OPT (arXiv 2205.01068): learned positions from row 2 on, ReLU. The 350M model norms after the sums and embeds in fewer columns than it
// computes in.
func init() {
	Register(Family{ModelTypes: []string{"opt"}, Build: buildOPT})
}

func buildOPT(b *Builder) *Spec {
	b.Prefix("embed_tokens.weight", "model.decoder.", "decoder.", "")
	hidden, heads, inner := b.Int("hidden_size"), b.Int("num_attention_heads"), b.IntOr("ffn_dim", 3072)
	width := b.IntOr("word_embed_proj_dim", hidden)
	before, biased, affine := b.BoolOr("do_layer_norm_before", true), b.BoolOr("enable_bias", true), b.BoolOr("layer_norm_elementwise_affine", true)
	act := b.Activation("activation_function", "relu")
	norm := func(l *Builder, name string) NormSpec {
		if !affine {
			return NormSpec{Kind: device.NormLayer, Eps: 1e-5}
		}
		return l.LayerNorm(name, hidden, 1e-5, true)
	}
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("max_position_embeddings", 2048), BlockPrefix: b.prefix + "layers.%d."}
	s.Embed.Table = b.Matrix("embed_tokens.weight", s.Vocab, width)
	s.Embed.Positions, s.Embed.PositionOffset = b.Matrix("embed_positions.weight", s.Context+2, hidden), 2
	for i := range b.Int("num_hidden_layers") {
		l := b.Layer("layers", i)
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1:    norm(l, "self_attn_layer_norm"),
			Norm2:    norm(l, "final_layer_norm"),
			PostNorm: !before,
			Mixer: &AttentionSpec{
				Q:         l.Linear("self_attn.q_proj", hidden, hidden, biased),
				K:         l.Linear("self_attn.k_proj", hidden, hidden, biased),
				V:         l.Linear("self_attn.v_proj", hidden, hidden, biased),
				O:         l.Linear("self_attn.out_proj", hidden, hidden, biased),
				Attention: Causal(heads, heads, hidden/heads),
			},
			MLP: &GatedSpec{Up: l.Linear("fc1", inner, hidden, biased), Down: l.Linear("fc2", hidden, inner, biased), Activation: act},
		})
	}
	if before && !b.BoolOr("_remove_final_layer_norm", false) {
		s.Final = norm(b, "final_layer_norm")
	}
	if width != hidden {
		s.Embed.Project = b.Linear("project_in", hidden, width, false)
		s.Head.Project = b.Linear("project_out", width, hidden, false)
	}
	s.Head.Output = b.Output("lm_head", s.Vocab, width, b.BoolOr("tie_word_embeddings", true), s.Embed.Table)
	return s
}
