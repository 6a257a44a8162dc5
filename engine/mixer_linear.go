package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

func (f *forward) linearMap(s *arch.LinearSpec, x device.Tensor) device.Tensor {
	return f.summed(x, &s.O)
}

// Linear puts a linear map W [hidden × hidden] in the place of the attention of a layer, for variants that leave this attention out alone: where the
// attention and the norm behind it stood, the layer then adds s·W·norm(x), s the model's residual multiplier (NBL, arXiv 2505.21077). Of w type
// and data count.
func (r *Repair) Linear(layer int, w weights.Stored) error {
	hidden := r.model.Spec.Hidden
	if layer < 0 || layer >= r.model.Layers() || r.model.Spec.Blocks[layer].Mixer == nil {
		return fmt.Errorf("engine: a linear map in the place of the attention of layer %d: there is none", layer)
	}
	block := r.model.Spec.Blocks[layer]
	if block.PostNorm || block.ResidualNormed {
		return fmt.Errorf("engine: %s: a linear map in the place of the attention of layer %d, which norms the stream: %w", r.model.Spec.Family, layer,
			ErrNoFit)
	}
	w.Name = strings.Replace(r.model.Spec.BlockPrefix, "%d", fmt.Sprint(layer), 1) + "linear_map.weight"
	w.Shape = []int{hidden, hidden}
	if values, size, err := w.Type.Block(); err != nil || hidden%values != 0 || len(w.Data) != hidden*hidden/values*size {
		return fmt.Errorf("engine: a linear map of %d bytes of %s: want [%d × %d]", len(w.Data), w.Type, hidden, hidden)
	}
	block.Mixer = &arch.LinearSpec{O: arch.Linear{Weight: arch.Ref{Name: w.Name, Shape: w.Shape, Out: hidden, In: hidden}}}
	block.Post1 = arch.NormSpec{}
	r.Set(w)
	r.maps[layer] = &block
	return nil
}

// Linears lists the layers in the place of whose attention the repair has a linear map, ascending.
func (r *Repair) Linears() []int {
	if r == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(r.maps))
}

// LinearOf is the map in the place of a layer's attention, [hidden × hidden].
func (r *Repair) LinearOf(layer int) (w weights.Stored, found bool) {
	if r == nil || r.maps[layer] == nil {
		return w, false
	}
	return r.replaced[r.mapName(layer)], true
}

// Adds is what the repair's linear maps weigh, and the norms in front of them, which go with an attention that leaves nothing behind.
func (r *Repair) Adds() (parameters, bytes int64) {
	add := func(stored weights.Stored) {
		values := int64(1)
		for _, n := range stored.Shape {
			values *= int64(n)
		}
		parameters, bytes = parameters+values, bytes+int64(len(stored.Data))
	}
	for _, layer := range r.Linears() {
		w, _ := r.LinearOf(layer)
		add(w)
		if block := r.maps[layer]; !block.SharedNorm {
			block.Norm1.Refs(func(ref *arch.Ref) {
				if stored, found := r.model.Tensors.Lookup(ref.Name); found {
					add(stored)
				}
			})
		}
	}
	return parameters, bytes
}

// mapName is the name of the map's tensor in a layer; empty where there is none.
func (r *Repair) mapName(layer int) string {
	if b := r.maps[layer]; b != nil {
		return b.Mixer.(*arch.LinearSpec).O.Weight.Name
	}
	return ""
}

// block is how a layer without a part is computed, and what is left out of that.
func (r *Repair) block(m *Model, layer int, without Part) (*arch.BlockSpec, Part) {
	if r != nil && without == Attention && r.maps[layer] != nil {
		return r.maps[layer], none
	}
	return &m.Spec.Blocks[layer], without
}

// spec is the model's with the repair's linear maps.
func (r *Repair) spec() *arch.Spec {
	if len(r.maps) == 0 {
		return r.model.Spec
	}
	s := *r.model.Spec
	s.Blocks = slices.Clone(s.Blocks)
	for layer, block := range r.maps {
		s.Blocks[layer] = *block
	}
	return &s
}

// settled are sets of units without the attentions that are linear maps by a repair: to leave them out has come to mean that.
func (m *Model) settled(variants []Drop) []Drop {
	if len(m.linears) == 0 {
		return variants
	}
	out := make([]Drop, len(variants))
	for i, drop := range variants {
		out[i] = slices.DeleteFunc(slices.Clone(drop), func(u Unit) bool { return u.Part == Attention && slices.Contains(m.linears, u.Layer) })
	}
	return out
}

// LinearType is the type in which a linear map in the place of a layer's attention is stored: that of its first matrix that reads the stream.
func (m *Model) LinearType(layer int) (device.DType, error) {
	var kind device.DType
	if mixer := m.Spec.Blocks[layer].Mixer; mixer != nil {
		mixer.Refs(func(r *arch.Ref) {
			if stored, found := m.Tensors.Lookup(r.Name); found && kind == "" && r.In == m.Spec.Hidden {
				kind = stored.Type
			}
		})
	}
	if kind == "" {
		return "", fmt.Errorf("engine: layer %d has no attention that reads the stream by a matrix", layer)
	}
	return kind, nil
}
