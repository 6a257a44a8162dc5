package arch

// SmolLM3 (Hugging Face 2025): Llama's block; every fourth layer has no positions, and may be the one that slides.
func init() {
	Register(Family{ModelTypes: []string{"smollm3"}, Drop: dropSmolLM3, Build: func(b *Builder) *Spec {
		biased := b.BoolOr("attention_bias", false)
		s := b.decoder(decoder{theta: 2000000, kvHeads: 4, tied: true, attentionB: biased, outputB: biased, mlpB: b.BoolOr("mlp_bias", false)})
		rotates := b.rotates(len(s.Blocks))
		for i := range s.Blocks {
			if !rotates[i] {
				s.attention(i).Rope = nil
			}
		}
		window := 0
		if b.BoolOr("use_sliding_window", false) {
			window = b.windowOr(0)
		}
		return s.slide(b.layerKinds(len(s.Blocks), smolLM3Slides(b.Config, rotates), fullAttention, slidingAttention), window)
	}})
}

// rotates reads no_rope_layers, whose ones mark the layers that have positions, or the rule that it replaces.
func (b *Config) rotates(layers int) []bool {
	list := b.Ints("no_rope_layers")
	if len(list) > 0 && len(list) != layers {
		b.Fail("no_rope_layers: %d entries for %d layers", len(list), layers)
		list = nil
	}
	rotates, interval := make([]bool, layers), b.IntOr("no_rope_layer_interval", 4)
	for i := range rotates {
		if len(list) > 0 {
			rotates[i] = list[i] != 0
		} else {
			rotates[i] = interval < 1 || (i+1)%interval != 0
		}
	}
	return rotates
}

func smolLM3Slides(c *Config, rotates []bool) func(layer int) string {
	return func(layer int) string {
		if c.BoolOr("use_sliding_window", false) && c.Has("sliding_window") && !rotates[layer] {
			return slidingAttention
		}
		return fullAttention
	}
}

func dropSmolLM3(config map[string]any, layers int, kept []int) error {
	c := AsConfig(config)
	rotates := c.rotates(layers)
	writeKinds(config, layers, smolLM3Slides(c, rotates))
	writeRotates(config, rotates)
	return c.Err()
}

// writeRotates writes no_rope_layers out, because the layers that stay move.
func writeRotates(config map[string]any, rotates []bool) {
	list := make([]any, len(rotates))
	for i, r := range rotates {
		list[i] = 0
		if r {
			list[i] = 1
		}
	}
	config["no_rope_layers"] = list
}
