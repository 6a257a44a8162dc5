package engine

import (
	"slices"

	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Repair is stored tensors of a model with other values, under their own names: what a variant computes with instead. Make one with NewRepair
// and Set; once it is used in a pass it must not change.
type Repair struct {
	model    *Model
	replaced map[string]weights.Stored
	layers   map[int]bool // of which a tensor is replaced
	outside  string       // a replaced tensor of no layer; empty: none
}

// NewRepair makes one that replaces nothing.
func (m *Model) NewRepair() *Repair {
	return &Repair{model: m, replaced: map[string]weights.Stored{}, layers: map[int]bool{}}
}

// Set replaces a stored tensor, whose name and shape stay as they are.
func (r *Repair) Set(stored weights.Stored) {
	r.replaced[stored.Name] = stored
	if layer, _, inside := r.model.Spec.BlockOf(stored.Name); inside {
		r.layers[layer] = true
	} else {
		r.outside = stored.Name
	}
}

// Names lists the replaced tensors in the order of the model's files.
func (r *Repair) Names() []string {
	if r == nil {
		return nil
	}
	var names []string
	for _, name := range r.model.Tensors.Names() {
		if _, found := r.replaced[name]; found {
			names = append(names, name)
		}
	}
	return names
}

// Stored is a replaced tensor.
func (r *Repair) Stored(name string) weights.Stored { return r.replaced[name] }

// touches says whether a layer computes otherwise.
func (r *Repair) touches(layer int) bool { return r != nil && r.layers[layer] }

// tensors are the model's as they are after the repair.
func (r *Repair) tensors() weights.Tensors {
	if r == nil {
		return nil
	}
	return repaired{r.model.Tensors, r}
}

// repaired shows a model's tensors, some of them replaced.
type repaired struct {
	weights.Tensors
	repair *Repair
}

func (t repaired) Lookup(name string) (weights.Stored, bool) {
	if s, found := t.repair.replaced[name]; found {
		return s, true
	}
	return t.Tensors.Lookup(name)
}

func (t repaired) Prefetch(names []string) { t.Tensors.Prefetch(t.own(names)) }

func (t repaired) Discard(names []string) { t.Tensors.Discard(t.own(names)) }

func (t repaired) own(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, found := t.repair.replaced[name]; return found })
}

// Repaired is the model with a repair, on the same device and files: close the original, after it, and not both. Passes of the two must not run
// at the same time.
func (m *Model) Repaired(r *Repair) *Model {
	if r == nil {
		return m
	}
	return &Model{Ref: m.Ref, Folder: m.Folder, File: m.File, Spec: m.Spec, Config: m.Config, Tensors: r.tensors(), options: m.options,
		devices: slices.Clone[[]device.Device](m.devices)}
}
