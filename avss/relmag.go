package avss

import "avssnative/engine"

// Relative magnitude (arXiv 2312.09299; named so in arXiv 2403.03853): mean over tokens of ‖y−x‖/‖y‖.
func init() {
	Register(Definition{
		builtin: true, Name: "relmag",
		About:  "relative magnitude: mean length of what the block adds, over the length of what leaves it",
		Papers: []Citation{subcloning, shortGPT},
		New:    Ratio(func(m *engine.Measurement) float64 { return m.Pairs.Relative }, Tokens),
	})
}
