package arch

// Falcon (arXiv 2311.16867) in its three forms. 7B: attention and MLP side by side on one norm, one key-value head. 40B and 180B ("new
// decoder architecture"): a norm for each, groups of heads that hold their key and value behind their queries. RW: one after the other,
// keys and values for every head, ALiBi.
func init() {
	Register(Family{ModelTypes: []string{"falcon"}, Build: buildFalcon})
}

func buildFalcon(b *Builder) *Spec {
	b.Prefix("word_embeddings.weight", "transformer.", "")
	hidden, heads := b.Int("n_embed|hidden_size"), b.Int("num_attention_heads|n_head")
	headDim, inner := hidden/heads, b.IntOr("ffn_hidden_size", 4*hidden)
	eps := b.Eps("layer_norm_epsilon", 1e-5)
	grouped, alibi := b.BoolOr("new_decoder_architecture", false), b.BoolOr("alibi", false)
	parallel, biased := b.BoolOr("parallel_attn", true), b.BoolOr("bias", false)
	act := b.Activation("activation", "gelu")
	kvHeads := heads
	switch {
	case grouped:
		kvHeads = b.IntOr("num_kv_heads|n_head_kv", heads)
	case b.BoolOr("multi_query", true):
		kvHeads = 1
	}
	if kvHeads < 1 || heads%kvHeads != 0 {
		b.Fail("num_attention_heads %d, num_kv_heads %d: want whole groups of heads", heads, kvHeads)
		kvHeads = 1
	}
	if grouped && !parallel {
		b.Fail("parallel_attn: false, the new decoder architecture is parallel")
	}
	twoNorms := grouped && b.IntOr("num_ln_in_parallel_attn", 2) == 2
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), BlockPrefix: b.prefix + "h.%d."}
	var rope *Rotary
	if !alibi {
		rope, s.Context = b.Rope(headDim, 10000, 1, ""), b.context()
	}
	s.Embed.Table = b.Matrix("word_embeddings.weight", s.Vocab, hidden)
	for i := range b.Int("num_hidden_layers|n_layer") {
		l := b.Layer("h", i)
		per := heads / kvHeads
		qkv := l.Linear("self_attention.query_key_value", (heads+2*kvHeads)*headDim, hidden, biased)
		attention := Causal(heads, kvHeads, headDim)
		if alibi {
			attention.Slopes = alibiSlopes(heads)
			for j := range attention.Slopes {
				// The slopes are kept in bfloat16, and added before the scores are scaled.
				attention.Slopes[j] = roundBF16(attention.Slopes[j]) * attention.Scale
			}
		}
		block := BlockSpec{
			Mixer: &AttentionSpec{
				Q:         qkv.Part(Heads(kvHeads, (per+2)*headDim, 0, per*headDim)...),
				K:         qkv.Part(Heads(kvHeads, (per+2)*headDim, per*headDim, headDim)...),
				V:         qkv.Part(Heads(kvHeads, (per+2)*headDim, (per+1)*headDim, headDim)...),
				O:         l.Linear("self_attention.dense", hidden, hidden, biased),
				Attention: attention,
				Rope:      rope,
			},
			MLP: &GatedSpec{
				Up:         l.Linear("mlp.dense_h_to_4h", inner, hidden, biased),
				Down:       l.Linear("mlp.dense_4h_to_h", hidden, inner, biased),
				Activation: act,
			},
			Parallel:   parallel,
			SharedNorm: parallel && !twoNorms,
		}
		switch {
		case twoNorms:
			block.Norm1, block.Norm2 = l.LayerNorm("ln_attn", hidden, eps, true), l.LayerNorm("ln_mlp", hidden, eps, true)
		case parallel:
			block.Norm1 = l.LayerNorm("input_layernorm", hidden, eps, true)
		default:
			block.Norm1, block.Norm2 = l.LayerNorm("input_layernorm", hidden, eps, true), l.LayerNorm("post_attention_layernorm", hidden, eps, true)
		}
		s.Blocks = append(s.Blocks, block)
	}
	s.Final = b.LayerNorm("ln_f", hidden, eps, true)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", true), s.Embed.Table)
	return s
}
