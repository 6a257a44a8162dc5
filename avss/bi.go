package avss

import "avssnative/engine"

// Block Influence of ShortGPT (arXiv 2403.03853, section 2.3): 1 − mean over tokens of cos(x, y), x what enters the block and y what leaves it,
// both the raw residual stream.
func init() {
	Register(Definition{
		builtin: true, Name: "bi",
		About:  "Block Influence: 1 − mean cosine between what enters and what leaves the block",
		Papers: []Citation{shortGPT},
		New:    shiftedRatio(1, -1, func(m *engine.Measurement) float64 { return m.Pairs.Cosine }, Tokens),
	})
}
