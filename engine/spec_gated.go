package engine

// GatedSpec is the MLP of nearly all families: down(f(gate(x)) ⊙ up(x)) (arXiv 2002.05202), or down(f(up(x))) where Gate is absent. Where
// the activation is interleaved, Up gives gate and up by turns.
type GatedSpec struct {
	Gate, Up, Down Linear
	Activation     Activation
	Read           []Ref // stored parameters that Activation already holds
}

func (g *GatedSpec) refs(visit func(*Ref)) {
	g.Gate.refs(visit)
	g.Up.refs(visit)
	g.Down.refs(visit)
	for i := range g.Read {
		visit(&g.Read[i])
	}
}
