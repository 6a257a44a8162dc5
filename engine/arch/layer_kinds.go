package arch

// Layers of one model need not be alike: some see a window, some rotate, some hold experts. Configurations say so by a list with one entry a
// layer, or by a rule that the list replaces. This file reads the list or the rule, and writes the list when layers are left out, because a
// rule speaks of positions that then have changed.

const fullAttention, slidingAttention = "full_attention", "sliding_attention"

// layerKinds is layer_types, or, where the configuration is older, what rule says of each layer.
func (b *Builder) layerKinds(layers int, rule func(layer int) string, known ...string) []string {
	kinds := b.Strings("layer_types")
	if kinds == nil {
		kinds = make([]string, layers)
		for i := range kinds {
			kinds[i] = rule(i)
		}
	}
	if further := b.furtherOr(0); len(kinds) == layers+further && further > 0 {
		kinds = kinds[:layers]
	}
	if len(kinds) != layers {
		b.Fail("layer_types: %d entries for %d layers", len(kinds), layers)
		return make([]string, layers)
	}
	for _, kind := range kinds {
		b.Choose("layer_types", kind, known...)
	}
	return kinds
}

// everyNth is a rule: each nth layer is full, the others slide; n < 1 makes all of them full.
func everyNth(n int) func(layer int) string {
	return func(layer int) string {
		if n < 1 || (layer+1)%n == 0 {
			return fullAttention
		}
		return slidingAttention
	}
}

// slide gives the window to the layers whose kind it is.
func (s *Spec) slide(kinds []string, window int) *Spec {
	for i := range s.Blocks {
		if a, ok := s.Blocks[i].Mixer.(*AttentionSpec); ok && kinds[i] == slidingAttention {
			a.Window = window
		}
	}
	return s
}

// writeKinds writes layer_types for the layers that stay where the configuration has only a rule.
func writeKinds(config map[string]any, layers int, rule func(layer int) string) {
	if config["layer_types"] != nil {
		return
	}
	kinds := make([]any, layers)
	for i := range kinds {
		kinds[i] = rule(i)
	}
	config["layer_types"] = kinds
}
