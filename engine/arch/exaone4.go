package arch

// EXAONE 4 (arXiv 2507.11407): norms behind attention and MLP, on every head's queries and keys as well; sliding layers rotate, full ones
// have no positions, and where no layer slides all rotate.
func init() {
	Register(Family{ModelTypes: []string{"exaone4"}, Drop: dropExaone4, Build: func(b *Builder) *Spec {
		s := b.decoder(decoder{eps: 1e-5, kvHeads: 32})
		s.normAfter(b)
		s.headNorms(b, "self_attn.q_norm", "self_attn.k_norm", b.Eps("rms_norm_eps", 1e-5), 0)
		kinds, window := b.layerKinds(len(s.Blocks), exaone4Slides(b.Config), fullAttention, slidingAttention), b.windowOr(4096)
		for i := range s.Blocks {
			if window > 0 && kinds[i] == fullAttention {
				s.attention(i).Rope = nil
			}
		}
		return s.slide(kinds, window)
	}})
}

// exaone4Slides is the rule of configurations without layer_types: a number ("every nth is full") or a pattern ("LLLG"), the last layer full.
func exaone4Slides(c *Config) func(layer int) string {
	if _, there := c.values["sliding_window"]; there && !c.Has("sliding_window") {
		return everyNth(0)
	}
	if pattern, ok := c.values["sliding_window_pattern"].(string); ok && pattern != "" {
		return func(layer int) string {
			if pattern[layer%len(pattern)] == 'L' && layer != c.IntOr("num_hidden_layers", 0)-1 {
				return slidingAttention
			}
			return fullAttention
		}
	}
	return everyNth(c.IntOr("sliding_window_pattern", 4))
}

func dropExaone4(config map[string]any, layers int, kept []int) error {
	writeKinds(config, layers, exaone4Slides(AsConfig(config)))
	return nil
}
