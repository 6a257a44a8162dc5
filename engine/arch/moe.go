package arch

import (
	"fmt"

	"avssnative/engine/device"
)

// Mixtures of experts are published in several layouts: a matrix an expert, or one tensor for all experts, gate and up together, rows or
// columns first. This file finds out which and makes references into it, never copies.

// experts says what a family's mixture is, whatever the layout.
type experts struct {
	hidden, inner, count int
	activation           device.Activation
	routing              Routing
	routerB              bool // the router has a bias
	expertB              bool // experts have biases
	byColumns            bool // fused tensors are stored [experts × in × out]
	gateUp               bool // the fused tensor gives gate and up by turns, not one after the other
}

// mixture builds the layer's experts; the builder's prefix is the layer's.
func (b *Builder) mixture(e experts) *ExpertsSpec {
	place, router := b.routerPlace()
	if e.count < 1 || e.routing.Top < 1 || e.routing.Top > e.count {
		b.Fail("%d experts of %d a token", e.routing.Top, e.count)
		e.count, e.routing.Top = 1, 1
	}
	if g := e.routing.Groups; g > 1 && (e.count%g != 0 || e.routing.TopGroups < 1 || e.routing.TopGroups > g ||
		e.routing.TopGroups*(e.count/g) < e.routing.Top) {
		b.Fail("n_group %d, topk_group %d: no choice of %d experts from %d", g, e.routing.TopGroups, e.routing.Top, e.count)
		e.routing.Groups = 0
	}
	s := &ExpertsSpec{Router: b.Linear(place+router, e.count, e.hidden, e.routerB), Routing: e.routing, Inner: e.inner,
		Experts: make([]GatedSpec, e.count)}
	layer := &Builder{Config: b.Config, tensors: b.tensors, prefix: b.prefix + place}
	for i := range s.Experts {
		s.Experts[i] = layer.expert(e, i)
	}
	return s
}

// routerPlace finds the mixture's place in the layer and its router's name there.
func (b *Builder) routerPlace() (place, router string) {
	for _, place := range []string{"mlp.", "block_sparse_moe.", "feed_forward."} {
		for _, router := range []string{"gate", "router", "router.layer"} {
			if b.Stored(place + router + ".weight") {
				return place, router
			}
		}
	}
	return "mlp.", "gate"
}

// expert refers to one expert's weights.
func (b *Builder) expert(e experts, i int) GatedSpec {
	s := GatedSpec{Activation: e.activation}
	gateUp, down := "", ""
	for _, names := range [][2]string{{"experts.gate_up_proj", "experts.down_proj"}, {"input_linear.weight", "output_linear.weight"}} {
		if b.Stored(names[0]) {
			gateUp, down = names[0], names[1]
		}
	}
	if gateUp == "" {
		names := [3]string{"gate_proj", "up_proj", "down_proj"}
		if !b.Stored("experts.0.gate_proj.weight") && b.Stored("experts.0.w1.weight") {
			names = [3]string{"w1", "w3", "w2"}
		}
		name := func(of string) string { return fmt.Sprintf("experts.%d.%s", i, of) }
		s.Gate = b.Linear(name(names[0]), e.inner, e.hidden, e.expertB)
		s.Up = b.Linear(name(names[1]), e.inner, e.hidden, e.expertB)
		s.Down = b.Linear(name(names[2]), e.hidden, e.inner, e.expertB)
		return s
	}
	e.byColumns = b.byColumns(gateUp, down, e)
	both := b.oneOf(gateUp, e.count, i, 2*e.inner, e.hidden, e)
	s.Down = b.oneOf(down, e.count, i, e.hidden, e.inner, e)
	if e.gateUp {
		s.Up = both
		s.Activation.Interleaved = true
		return s
	}
	s.Gate, s.Up = both.Part(device.Segment{At: 0, Count: e.inner}), both.Part(device.Segment{At: e.inner, Count: e.inner})
	return s
}

// byColumns says whether fused tensors are stored [experts × in × out]. Their shapes tell, where they are no squares: published files of a
// family and re-saved ones may differ (Qwen3-VL's do).
func (b *Builder) byColumns(gateUp, down string, e experts) bool {
	for _, fused := range []struct {
		name    string
		out, in int
	}{{gateUp, 2 * e.inner, e.hidden}, {down, e.hidden, e.inner}} {
		stored, _ := b.tensors.Lookup(b.prefix + fused.name)
		switch {
		case fused.out == fused.in || len(stored.Shape) != 3:
		case stored.Shape[1] == fused.in && stored.Shape[2] == fused.out:
			return true
		case stored.Shape[1] == fused.out && stored.Shape[2] == fused.in:
			return false
		}
	}
	return e.byColumns
}

// oneOf refers to expert i's matrix in a tensor of all of them, and to its bias.
func (b *Builder) oneOf(name string, count, i, out, in int, e experts) Linear {
	l := Linear{Weight: Ref{Name: b.prefix + name, Shape: []int{count, out, in}, Offset: i * out * in, Out: out, In: in}}
	if e.byColumns {
		l.Weight.Shape, l.Weight.Transposed = []int{count, in, out}, true
	}
	if e.expertB {
		l.Bias = Ref{Name: b.prefix + name + "_bias", Shape: []int{count, out}, Offset: i * out, Out: out}
	}
	return l
}

// gated is a dense MLP under a name.
func (b *Builder) gated(name string, inner, hidden int, act device.Activation) *GatedSpec {
	return &GatedSpec{
		Gate:       b.Linear(name+".gate_proj", inner, hidden, false),
		Up:         b.Linear(name+".up_proj", inner, hidden, false),
		Down:       b.Linear(name+".down_proj", hidden, inner, false),
		Activation: act,
	}
}
