package engine

// GatedSpec is the MLP of nearly all families: down(f(gate(x)) ⊙ up(x)) (arXiv 2002.05202), or down(f(up(x))) where Gate is absent.
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

func (g *GatedSpec) apply(f *forward, x Tensor) Tensor {
	act := f.linear(x, &g.Up)
	if g.Gate.Weight.Name == "" {
		f.device.Activate(act, act, nil, g.Activation)
	} else {
		gate := f.linear(x, &g.Gate)
		f.device.Activate(gate, gate, act, g.Activation)
		f.give(act)
		act = gate
	}
	out := f.linear(act, &g.Down)
	f.act = act
	return out
}
