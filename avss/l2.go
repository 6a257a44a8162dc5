package avss

import "avssnative/engine"

// Mean over tokens of ‖y−x‖: how far the block moves the residual stream. It knows no scale, so in a pre-norm decoder it favours dropping
// early layers; it is here to be compared with.
func init() {
	Register(Definition{
		builtin: true, Name: "l2",
		About: "mean length of what the block adds, scale and all",
		New:   Ratio(func(m *engine.Measurement) float64 { return m.Pairs.Distance }, Tokens),
	})
}
