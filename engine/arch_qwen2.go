package engine

// Qwen2 (arXiv 2407.10671): Llama's block with biases on queries, keys and values; some layers may see a sliding window only.
func init() {
	RegisterArchitecture(Architecture{ModelTypes: []string{"qwen2"}, Build: func(b *Builder) *Spec {
		s := b.llamaLike(llamaLike{eps: 1e-6, theta: 10000, attentionB: true})
		b.layerWindows(s, func(layer int) bool {
			return b.BoolOr("use_sliding_window", false) && layer >= b.IntOr("max_window_layers", 28)
		})
		return s
	}})
}

// layerWindows gives the sliding window to the layers that layer_types names, or, where the configuration is older, to those that slides says.
func (b *Builder) layerWindows(s *Spec, slides func(layer int) bool) {
	kinds := b.Strings("layer_types")
	if kinds != nil && len(kinds) != len(s.Blocks) {
		b.Fail("layer_types: %d entries for %d layers", len(kinds), len(s.Blocks))
		return
	}
	for i := range s.Blocks {
		sliding := slides(i)
		if kinds != nil {
			b.Choose("layer_types", kinds[i], "full_attention", "sliding_attention")
			sliding = kinds[i] == "sliding_attention"
		}
		if a, ok := s.Blocks[i].Mixer.(*AttentionSpec); ok && sliding {
			a.Window = b.IntOr("sliding_window", 4096)
		}
	}
}
