package avss

import (
	"avssnative/engine/device"
)

// Mean over tokens of ‖y−x‖: how far the block moves the residual stream. It knows no scale, so in a pre-norm decoder it favours dropping
// early layers; it is here to be compared with.
func init() {
	register(Info{
		Name: "l2", Kind: Activation,
		About: "mean length of what the block adds, scale and all",
		New: func(o Options) Metric {
			return &tokenMean{base: base{name: "l2", options: o}, factor: 1, quantity: func(p *device.Pairs) float64 { return p.Distance }}
		},
	})
}
