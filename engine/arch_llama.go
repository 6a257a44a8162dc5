package engine

// Llama (arXiv 2302.13971) and the families that differ from it in a line: RMS norms before attention and a SiLU-gated MLP, rotary
// positions over half-split pairs, grouped key-value heads.
func init() {
	RegisterArchitecture(Architecture{ModelTypes: []string{"llama"}, Build: buildLlama})
	// Mistral (arXiv 2310.06825): a sliding window on all layers.
	RegisterArchitecture(Architecture{ModelTypes: []string{"mistral"}, Build: func(b *Builder) *Spec {
		s := buildLlama(b)
		for i := range s.Blocks {
			s.attention(i).Window = b.IntOr("sliding_window", 0)
		}
		return s
	}})
}

func buildLlama(b *Builder) *Spec {
	return b.llamaLike(llamaLike{
		eps:        1e-6,
		theta:      10000,
		attentionB: b.BoolOr("attention_bias", false),
		outputB:    b.BoolOr("attention_bias", false),
		mlpB:       b.BoolOr("mlp_bias", false),
	})
}

// llamaLike holds the few facts that tell the Llama-shaped families apart.
type llamaLike struct {
	eps, theta                float64 // the family's defaults
	attentionB, outputB, mlpB bool    // biases of queries, keys, values; of the attention's output; of the MLP
}

// llamaLike builds the Spec from the configuration keys and tensor names that all these families share.
func (b *Builder) llamaLike(o llamaLike) *Spec {
	b.Prefix("embed_tokens.weight", "model.", "")
	hidden, heads := b.Int("hidden_size"), b.Int("num_attention_heads")
	kvHeads := b.IntOr("num_key_value_heads", heads)
	headDim := b.IntOr("head_dim", hidden/heads)
	inner := b.Int("intermediate_size")
	eps := b.FloatOr("rms_norm_eps", o.eps)
	act := b.Activation("hidden_act", "silu")
	rope := b.RopeScaling(headDim, o.theta, "")
	s := &Spec{Hidden: hidden, Vocab: b.Int("vocab_size"), Context: b.IntOr("max_position_embeddings", 2048), BlockPrefix: b.prefix + "layers.%d."}
	s.Embed.Table = b.Matrix("embed_tokens.weight", s.Vocab, hidden)
	for i := range b.Int("num_hidden_layers") {
		l := b.Layer("layers", i)
		s.Blocks = append(s.Blocks, BlockSpec{
			Norm1: l.RMS("input_layernorm", hidden, eps),
			Norm2: l.RMS("post_attention_layernorm", hidden, eps),
			Mixer: &AttentionSpec{
				Q:         l.Linear("self_attn.q_proj", heads*headDim, hidden, o.attentionB),
				K:         l.Linear("self_attn.k_proj", kvHeads*headDim, hidden, o.attentionB),
				V:         l.Linear("self_attn.v_proj", kvHeads*headDim, hidden, o.attentionB),
				O:         l.Linear("self_attn.o_proj", hidden, heads*headDim, o.outputB),
				Attention: Causal(heads, kvHeads, headDim),
				Rope:      rope,
			},
			MLP: &GatedSpec{
				Gate:       l.Linear("mlp.gate_proj", inner, hidden, o.mlpB),
				Up:         l.Linear("mlp.up_proj", inner, hidden, o.mlpB),
				Down:       l.Linear("mlp.down_proj", hidden, inner, o.mlpB),
				Activation: act,
			},
		})
	}
	s.Final = b.RMS("norm", hidden, eps)
	s.Head.Output = b.Output("lm_head", s.Vocab, hidden, b.BoolOr("tie_word_embeddings", false), s.Embed.Table)
	return s
}

// attention is the attention of a block whose mixer is known to be one.
func (s *Spec) attention(layer int) *AttentionSpec { return s.Blocks[layer].Mixer.(*AttentionSpec) }
