package arch

// Mixtral (arXiv 2401.04088) and the mixtures that are Llama's or Qwen's block with experts in place of the MLP: Qwen3-MoE (arXiv
// 2505.09388), OLMoE (arXiv 2409.02060), Granite MoE (IBM 2024), Phi-3.5-MoE (arXiv 2404.14219).
func init() {
	Register(Family{ModelTypes: []string{"mixtral"}, Build: func(b *Builder) *Spec {
		s := b.decoder(decoder{eps: 1e-5, theta: 1000000, kvHeads: 8}).window(b.windowOr(0))
		return b.mixtures(s, b.Int("intermediate_size"), Routing{Top: b.IntOr("num_experts_per_tok", 2), Normalise: true}, allLayers)
	}})
	Register(Family{ModelTypes: []string{"qwen3_moe"}, Drop: dropSparse, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		s := b.decoder(decoder{kvHeads: 4, headDim: 128, attentionB: biased, outputB: biased})
		s.headNorms(b, "self_attn.q_norm", "self_attn.k_norm", b.Eps("rms_norm_eps", 1e-6), 0)
		if b.BoolOr("use_sliding_window", false) {
			s.window(b.windowOr(4096))
		}
		routing := Routing{Top: b.IntOr("num_experts_per_tok", 8), Normalise: b.BoolOr("norm_topk_prob", false)}
		return b.mixtures(s, b.IntOr("moe_intermediate_size", 768), routing, b.sparse())
	}})
	Register(Family{ModelTypes: []string{"olmoe"}, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		s := b.decoder(decoder{eps: 1e-5, attentionB: biased, outputB: biased}).clip(b)
		for i := range s.Blocks {
			s.attention(i).rowNorms(b.Layer("layers", i), b.Eps("rms_norm_eps", 1e-5))
			s.attention(i).ClipNormed = true
		}
		return b.mixtures(s, b.Int("intermediate_size"), Routing{Top: b.IntOr("num_experts_per_tok", 8), Normalise: b.BoolOr("norm_topk_prob", false)}, allLayers)
	}})
	Register(Family{ModelTypes: []string{"granitemoe"}, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		s := b.graniteMultipliers(b.decoder(decoder{attentionB: biased, outputB: biased}))
		return b.mixtures(s, b.Int("intermediate_size"), Routing{Score: SoftmaxTop, Top: b.IntOr("num_experts_per_tok", 2)}, allLayers)
	}})
	Register(Family{ModelTypes: []string{"phimoe"}, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		s := b.decoder(decoder{eps: 1e-5, theta: 1000000, kvHeads: 8, attentionB: biased, outputB: biased, norm: layerNorm,
			headB: b.BoolOr("lm_head_bias", false)}).window(b.windowOr(0))
		if b.IntOr("num_experts_per_tok", 2) != 2 {
			b.Fail("num_experts_per_tok: %d, this router chooses 2", b.IntOr("num_experts_per_tok", 2))
		}
		return b.mixtures(s, b.Int("intermediate_size"), Routing{Score: SparseMixer, Top: 2, Jitter: b.FloatOr("router_jitter_noise", 0.01)}, allLayers)
	}})
}

func allLayers(int) bool { return true }

// mixtures puts experts into the layers that has says.
func (b *Builder) mixtures(s *Spec, inner int, routing Routing, has func(layer int) bool) *Spec {
	act := b.Activation("hidden_act", "silu")
	for i := range s.Blocks {
		if has(i) {
			s.Blocks[i].MLP = b.Layer("layers", i).mixture(experts{hidden: s.Hidden, inner: inner, count: b.expertCount(), activation: act, routing: routing})
		}
	}
	return s
}

// expertCount is the number of experts under all its names.
func (b *Builder) expertCount() int { return b.Int("num_experts|num_local_experts|n_routed_experts") }

// sparse reads which layers hold experts: every decoder_sparse_step'th, but for mlp_only_layers.
func (c *Config) sparse() func(layer int) bool {
	step, dense := c.IntOr("decoder_sparse_step", 1), map[int]bool{}
	for _, layer := range c.Ints("mlp_only_layers") {
		dense[layer] = true
	}
	if step < 1 {
		c.Fail("decoder_sparse_step: %d, want at least 1", step)
		step = 1
	}
	return func(layer int) bool { return !dense[layer] && (layer+1)%step == 0 }
}

// dropSparse lists the dense layers that stay, because the step counts layers that have moved.
func dropSparse(config map[string]any, layers int, kept []int) error {
	c := AsConfig(config)
	has := c.sparse()
	dense := []any{}
	for to, from := range kept {
		if !has(from) {
			dense = append(dense, to)
		}
	}
	config["mlp_only_layers"], config["decoder_sparse_step"] = dense, 1
	return c.Err()
}
