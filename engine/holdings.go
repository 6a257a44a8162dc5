package engine

import (
	"fmt"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// holdings are a model's weights that a device with memory of its own keeps from one pass to the next (device.Keeper). They are found by what they
// are of, so that a head and an embedding of one tensor are one weight.
type holdings struct {
	keeper   device.Keeper // nil: weights are released
	matrices map[weightOf]device.Matrix
}

// weightOf is what a weight is of.
type weightOf struct {
	name            string
	offset, in, out int
	transposed      bool
	segments        string
}

func weightBehind(r *arch.Ref) weightOf {
	h := weightOf{name: r.Name, offset: r.Offset, in: r.In, out: r.Out, transposed: r.Transposed}
	if r.Segments != nil {
		h.segments = fmt.Sprint(r.Segments)
	}
	return h
}

// holdingsOf are those of one of the model's devices.
func (m *Model) holdingsOf(d device.Device) *holdings {
	m.holding.Lock()
	defer m.holding.Unlock()
	h := m.holdings[d]
	if h == nil {
		if m.holdings == nil {
			m.holdings = map[device.Device]*holdings{}
		}
		h = &holdings{matrices: map[weightOf]device.Matrix{}}
		h.keeper, _ = d.(device.Keeper)
		m.holdings[d] = h
	}
	return h
}

// lasts says whether a tensor is the model's own, with the bytes of its file: others may be gone when the device asks for them.
func lasts(source weights.Tensors, name string) bool {
	if r, is := source.(repaired); is {
		if _, replaced := r.repair.replaced[name]; replaced {
			return false
		}
	}
	stored, found := source.Lookup(name)
	return found && !stored.Widened()
}

// take is a weight that the device still has, nil where it has to be loaded.
func (h *holdings) take(r *arch.Ref, source weights.Tensors) device.Matrix {
	if h.keeper == nil || !lasts(source, r.Name) {
		return nil
	}
	of := weightBehind(r)
	m := h.matrices[of]
	delete(h.matrices, of)
	if m == nil || !h.keeper.Regain(m) {
		return nil
	}
	return m
}

// give releases a weight, or leaves it with the device.
func (h *holdings) give(r *arch.Ref, m device.Matrix, source weights.Tensors) {
	of := weightBehind(r)
	if h.keeper == nil || h.matrices[of] != nil || !lasts(source, r.Name) {
		m.Release()
		return
	}
	h.matrices[of] = m
	h.keeper.Keep(m)
}

// have says whether the device has all weights that visit reaches.
func (h *holdings) have(visit func(func(*arch.Ref))) bool {
	all := h.keeper != nil
	visit(func(r *arch.Ref) {
		if all && r.Name != "" && r.In > 0 && !r.Table {
			m := h.matrices[weightBehind(r)]
			all = m != nil && h.keeper.Kept(m)
		}
	})
	return all
}
