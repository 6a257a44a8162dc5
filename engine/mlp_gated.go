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

func (g *GatedSpec) apply(f *forward, x Tensor) Tensor {
	act := f.pool.take(x.Rows(), f.weights.matrices[&g.Down.Weight].In())
	g.hidden(f, act, x)
	out := f.summed(act, &g.Down)
	f.act = act
	return out
}

// hidden computes what enters the output projection.
func (g *GatedSpec) hidden(f *forward, act, x Tensor) {
	if g.Activation.Interleaved {
		both := f.linear(x, &g.Up)
		f.device.Activate(act, both, nil, g.Activation)
		f.give(both)
		return
	}
	first := &g.Gate
	if g.Gate.Weight.Name == "" {
		first = &g.Up
	}
	f.device.Product(act, x, f.weights.matrices[&first.Weight], f.weights.vector(&first.Bias))
	if first == &g.Up {
		f.device.Activate(act, act, nil, g.Activation)
		return
	}
	up := f.linear(x, &g.Up)
	f.device.Activate(act, act, up, g.Activation)
	f.give(up)
}
