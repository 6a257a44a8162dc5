package arch

import (
	"avssnative/engine/device"
)

// MPT (MosaicML 2023): ALiBi, layer norms without a bias, no biases anywhere.
func init() {
	Register(Family{ModelTypes: []string{"mpt"}, Build: buildMPT})
}

func buildMPT(b *Builder) *Spec {
	b.Prefix("wte.weight", "transformer.", "")
	hidden, heads := b.Int("d_model|hidden_size"), b.Int("n_heads|num_attention_heads")
	eps := b.Eps("layer_norm_epsilon", 1e-5)
	c := b.Section("attn_config")
	b.Choose("attn_config.attn_type", c.StringOr("attn_type", "multihead_attention"), "multihead_attention")
	if c.BoolOr("qk_ln", false) || c.BoolOr("prefix_lm", false) || !c.BoolOr("alibi", true) {
		b.Fail("attn_config: qk_ln, prefix_lm and positions other than ALiBi are not known here")
	}
	if b.FloatOr("expansion_ratio", 4) != 4 {
		b.Fail("expansion_ratio: %v, want 4", b.FloatOr("expansion_ratio", 4))
	}
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), BlockPrefix: b.prefix + "blocks.%d."}
	s.Embed.Table = b.Matrix("wte.weight", s.Vocab, hidden)
	for i := range b.Int("n_layers|num_hidden_layers") {
		l := b.Layer("blocks", i)
		qkv := l.Linear("attn.Wqkv", 3*hidden, hidden, false)
		attention := Causal(heads, heads, hidden/heads)
		attention.Scale = float32(c.FloatOr("softmax_scale", float64(attention.Scale)))
		attention.Slopes = alibiSlopesMPT(heads, 8) // as it was trained and as transformers computes it; alibi_bias_max is read by neither
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1: l.LayerNorm("norm_1", hidden, eps, false),
			Norm2: l.LayerNorm("norm_2", hidden, eps, false),
			Mixer: &AttentionSpec{
				Q:         qkv.Part(device.Segment{At: 0, Count: hidden}),
				K:         qkv.Part(device.Segment{At: hidden, Count: hidden}),
				V:         qkv.Part(device.Segment{At: 2 * hidden, Count: hidden}),
				O:         l.Linear("attn.out_proj", hidden, hidden, false),
				Attention: attention,
				Clip:      float32(c.FloatOr("clip_qkv", 0)),
			},
			MLP: &GatedSpec{
				Up:         l.Linear("ffn.up_proj", 4*hidden, hidden, false),
				Down:       l.Linear("ffn.down_proj", hidden, 4*hidden, false),
				Activation: device.Activation{Kind: device.GELU},
			},
		})
	}
	s.Final = b.LayerNorm("norm_f", hidden, eps, false)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", true), s.Embed.Table)
	return s
}
