package arch

// GPT-NeoX (arXiv 2204.06745): layer norms, attention and MLP side by side on the block's input (or, by the configuration, one after the
// other), rotary positions over a part of each head, a fused projection that is grouped by head.
func init() {
	Register(Family{ModelTypes: []string{"gpt_neox"}, Build: buildGPTNeoX})
}

func buildGPTNeoX(b *Builder) *Spec {
	b.Prefix("embed_in.weight", "gpt_neox.", "")
	hidden, heads := b.Int("hidden_size"), b.Int("num_attention_heads")
	headDim, inner := hidden/heads, b.Int("intermediate_size")
	eps := b.Eps("layer_norm_eps", 1e-5)
	act := b.Activation("hidden_act", "gelu")
	biased := b.BoolOr("attention_bias", true)
	rope := b.Rope(headDim, 10000, 0.25, "")
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.Context("max_position_embeddings", 2048), BlockPrefix: b.prefix + "layers.%d."}
	s.Embed.Table = b.Matrix("embed_in.weight", s.Vocab, hidden)
	for i := range b.Int("num_hidden_layers") {
		l := b.Layer("layers", i)
		qkv := l.Linear("attention.query_key_value", 3*hidden, hidden, biased)
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1:    l.LayerNorm("input_layernorm", hidden, eps, true),
			Norm2:    l.LayerNorm("post_attention_layernorm", hidden, eps, true),
			Parallel: b.BoolOr("use_parallel_residual", true),
			Mixer: &AttentionSpec{
				Q:         qkv.Part(Heads(heads, 3*headDim, 0, headDim)...),
				K:         qkv.Part(Heads(heads, 3*headDim, headDim, headDim)...),
				V:         qkv.Part(Heads(heads, 3*headDim, 2*headDim, headDim)...),
				O:         l.Linear("attention.dense", hidden, hidden, biased),
				Attention: Causal(heads, heads, headDim),
				Rope:      rope,
			},
			MLP: &GatedSpec{
				Up:         l.Linear("mlp.dense_h_to_4h", inner, hidden, true),
				Down:       l.Linear("mlp.dense_4h_to_h", hidden, inner, true),
				Activation: act,
			},
		})
	}
	s.Final = b.LayerNorm("final_layer_norm", hidden, eps, true)
	s.Head.Output = b.Output("embed_out", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", false), s.Embed.Table)
	return s
}
