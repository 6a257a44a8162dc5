package avss

import (
	"avssnative/engine/device"
)

// Relative magnitude (arXiv 2312.09299; named so in arXiv 2403.03853): mean over tokens of ‖y−x‖/‖y‖.
func init() {
	register(Info{
		Name: "relmag", Kind: Activation,
		About:  "relative magnitude: mean length of what the block adds, over the length of what leaves it",
		Papers: []Citation{subcloning, shortGPT},
		New: func(o Options) Metric {
			return &tokenMean{base: base{name: "relmag", options: o}, factor: 1, quantity: func(p *device.Pairs) float64 { return p.Relative }}
		},
	})
}
