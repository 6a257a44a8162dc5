package arch

import (
	"avssnative/engine/device"
)

// GatedSpec is the MLP of nearly all families: down(f(gate(x)) ⊙ up(x)) (arXiv 2002.05202), or down(f(up(x))) where Gate is absent. Where
// the activation is interleaved, Up gives gate and up by turns.
type GatedSpec struct {
	Gate, Up, Down Linear
	Activation     device.Activation
	Read           []Ref // stored parameters that Activation already holds
}

func (g *GatedSpec) Refs(visit func(*Ref)) {
	g.Gate.Refs(visit)
	g.Up.Refs(visit)
	g.Down.Refs(visit)
	for i := range g.Read {
		visit(&g.Read[i])
	}
}
