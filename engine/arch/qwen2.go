package arch

// Qwen2 (arXiv 2407.10671): Llama's block with biases on queries, keys and values; some layers may see a sliding window only.
// Qwen3 (arXiv 2505.09388) drops the biases and norms every head's queries and keys.
func init() {
	Register(Family{ModelTypes: []string{"qwen2"}, Drop: dropQwenWindows, Build: func(b *Builder) *Spec {
		return b.qwenWindows(b.decoder(decoder{kvHeads: 32, attentionB: true}))
	}})
	Register(Family{ModelTypes: []string{"qwen3"}, Drop: dropQwenWindows, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		s := b.decoder(decoder{kvHeads: 32, headDim: 128, attentionB: biased, outputB: biased})
		return b.qwenWindows(s).headNorms(b, "self_attn.q_norm", "self_attn.k_norm", b.Eps("rms_norm_eps", 1e-6), 0)
	}})
}

// qwenSlides is the rule of configurations without layer_types: the layers from max_window_layers on slide, if any do.
func qwenSlides(c *Config) func(layer int) string {
	return func(layer int) string {
		if c.BoolOr("use_sliding_window", false) && layer >= c.IntOr("max_window_layers", 28) {
			return slidingAttention
		}
		return fullAttention
	}
}

// qwenWindows gives the sliding window to the layers that have it.
func (b *Builder) qwenWindows(s *Spec) *Spec {
	window := 0
	if b.BoolOr("use_sliding_window", false) {
		window = b.windowOr(4096)
	}
	return s.slide(b.layerKinds(len(s.Blocks), qwenSlides(b.Config), fullAttention, slidingAttention), window)
}

// dropQwenWindows writes the rule out, because the layers that stay move.
func dropQwenWindows(config map[string]any, layers int, kept []int) error {
	writeKinds(config, layers, qwenSlides(AsConfig(config)))
	return nil
}
