package arch

import (
	"avssnative/engine/device"
)

// BLOOM (arXiv 2211.05100): ALiBi, a norm behind the embedding, one matrix for queries, keys and values that is grouped by head.
func init() {
	Register(Family{ModelTypes: []string{"bloom"}, Build: buildBloom})
}

func buildBloom(b *Builder) *Spec {
	b.Prefix("word_embeddings.weight", "transformer.", "")
	hidden, heads := b.Int("n_embed|hidden_size"), b.Int("n_head|num_attention_heads")
	headDim := hidden / heads
	eps := b.Eps("layer_norm_epsilon", 1e-5)
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), BlockPrefix: b.prefix + "h.%d."}
	s.Embed.Table = b.Matrix("word_embeddings.weight", s.Vocab, hidden)
	s.Embed.Norm = b.LayerNorm("word_embeddings_layernorm", hidden, eps, true)
	for i := range b.Int("n_layer|num_hidden_layers") {
		l := b.Layer("h", i)
		qkv := l.Linear("self_attention.query_key_value", 3*hidden, hidden, true)
		attention := Causal(heads, heads, headDim)
		attention.Slopes = alibiSlopes(heads)
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1:          l.LayerNorm("input_layernorm", hidden, eps, true),
			Norm2:          l.LayerNorm("post_attention_layernorm", hidden, eps, true),
			ResidualNormed: b.BoolOr("apply_residual_connection_post_layernorm", false),
			Mixer: &AttentionSpec{
				Q:         qkv.Part(Heads(heads, 3*headDim, 0, headDim)...),
				K:         qkv.Part(Heads(heads, 3*headDim, headDim, headDim)...),
				V:         qkv.Part(Heads(heads, 3*headDim, 2*headDim, headDim)...),
				O:         l.Linear("self_attention.dense", hidden, hidden, true),
				Attention: attention,
			},
			MLP: &GatedSpec{
				Up:         l.Linear("mlp.dense_h_to_4h", 4*hidden, hidden, true),
				Down:       l.Linear("mlp.dense_4h_to_h", hidden, 4*hidden, true),
				Activation: device.Activation{Kind: device.GELUTanh},
			},
		})
	}
	s.Final = b.LayerNorm("ln_f", hidden, eps, true)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", true), s.Embed.Table)
	return s
}
