package arch

// Command R (Cohere 2024): layer norms without a bias, attention and MLP side by side on one of them, rotary pairs that are neighbours,
// logits scaled. Command R7B ("cohere2") has three sliding layers for a full one; only the sliding ones have positions.
func init() {
	Register(Family{ModelTypes: []string{"cohere"}, Build: func(b *Builder) *Spec {
		s := b.cohere(500000)
		eps := b.Eps("layer_norm_eps", 1e-5)
		for i := range s.Blocks {
			if b.BoolOr("use_qk_norm", false) {
				a, l := s.attention(i), b.Layer("layers", i)
				a.QNorm, a.KNorm = l.headLayerNorm("self_attn.q_norm", a.Heads, a.HeadDim, eps), l.headLayerNorm("self_attn.k_norm", a.KVHeads, a.HeadDim, eps)
			}
		}
		return s
	}})
	Register(Family{ModelTypes: []string{"cohere2"}, Drop: dropCohere2, Build: func(b *Builder) *Spec {
		s := b.cohere(10000)
		kinds, window := b.layerKinds(len(s.Blocks), everyNth(b.IntOr("sliding_window_pattern", 4)), fullAttention, slidingAttention), b.windowOr(4096)
		for i := range s.Blocks {
			if window == 0 || kinds[i] == fullAttention {
				s.attention(i).Rope = nil
			}
		}
		return s.slide(kinds, window)
	}})
}

func (b *Builder) cohere(theta float64) *Spec {
	biased := b.BoolOr("attention_bias", false)
	s := b.decoder(decoder{eps: 1e-5, epsKey: "layer_norm_eps", theta: theta, neighbours: true, tied: true, attentionB: biased, outputB: biased,
		norms: [2]string{"", "-"}, norm: func(l *Builder, name string, n int, eps float64) NormSpec { return l.LayerNorm(name, n, eps, false) }})
	s.Head.Scale = float32(b.FloatOr("logit_scale", 0.0625))
	for i := range s.Blocks {
		s.Blocks[i].Parallel, s.Blocks[i].SharedNorm = true, true
	}
	return s
}

// headLayerNorm norms every head by weights of its own, stored [heads × headDim].
func (b *Builder) headLayerNorm(name string, heads, headDim int, eps float64) NormSpec {
	s := b.LayerNorm(name, heads*headDim, eps, false)
	s.Groups, s.Weight.Shape = heads, []int{heads, headDim}
	return s
}

func dropCohere2(config map[string]any, layers int, kept []int) error {
	writeKinds(config, layers, everyNth(AsConfig(config).IntOr("sliding_window_pattern", 4)))
	return nil
}
