package avss

import (
	"avssnative/engine/device"
)

// Block Influence of ShortGPT (arXiv 2403.03853, section 2.3): 1 − mean over tokens of cos(x, y), x what enters the block and y what leaves it,
// both the raw residual stream.
func init() {
	register(Info{
		Name: "bi", Kind: Activation,
		About:  "Block Influence: 1 − mean cosine between what enters and what leaves the block",
		Papers: []Citation{shortGPT},
		New: func(o Options) Metric {
			return &tokenMean{base: base{name: "bi", options: o}, constant: 1, factor: -1, quantity: func(p *device.Pairs) float64 { return p.Cosine }}
		},
	})
}
