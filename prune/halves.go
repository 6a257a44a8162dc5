package prune

import (
	"fmt"
	"slices"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/weights"
)

// Halves of layers that are left out. A Llama-shaped model has architectures around it that know layers with one half: deci in GGUF files,
// nemotron-nas in folders; its file gets smaller. Every other model keeps the half and gets zeros for its output projection: the same function
// in every runtime, and nothing saved.

// halving says how the halves of layers go.
type halving struct {
	drop   engine.Drop    // what goes in all, a half that leaves nothing of its layer as the layer
	out    []engine.Unit  // halves that are left out of the file
	zero   []engine.Unit  // halves that stay and add nothing
	linear []engine.Unit  // attentions in whose place the caller's repair has a linear map
	repair *engine.Repair // the caller's
	with   *engine.Repair // what replaces stored tensors: the caller's repair, and zeros
}

// halve decides how the halves of a set go in a format.
func (f Format) halve(m *engine.Model, drop engine.Drop, repair *engine.Repair) (*halving, error) {
	h := &halving{repair: repair, with: repair}
	var units []engine.Unit
	for _, u := range drop {
		if !m.Has(u) {
			return nil, fmt.Errorf("%s: the model has no such part", u)
		}
		other := engine.Unit{Layer: u.Layer, Part: engine.Attention + engine.MLP - u.Part}
		if u.Part != engine.Layer && !h.maps(u) && !m.Has(other) {
			u.Part = engine.Layer // nothing else is there
		}
		units = append(units, u)
	}
	h.drop = engine.Units(units...)
	if len(h.drop.Layers()) == m.Layers() {
		return nil, fmt.Errorf("drops all %d layers: at least one must stay", m.Layers())
	}
	if h.drop.Whole() {
		return h, nil
	}
	if f == FormatMergekit {
		return nil, fmt.Errorf("mergekit puts whole layers together: halves of layers can be written as hf or gguf")
	}
	if err := m.Computable(); err != nil {
		return nil, fmt.Errorf("halves of layers that can only be copied stay where they are: %w", err)
	}
	first := h.drop.Without(m.Layers())[0]
	for _, u := range h.drop {
		switch {
		case u.Part == engine.Layer:
		case h.maps(u):
			if err := f.carriesLinear(m); err != nil {
				return nil, err
			}
			h.linear = append(h.linear, u)
		case !f.knowsHalves(m), u == engine.Unit{Layer: first, Part: engine.Attention}:
			// llama.cpp takes the size of all heads from the first layer, and vLLM's residual stream begins with its attention.
			h.zero = append(h.zero, u)
		default:
			h.out = append(h.out, u)
		}
	}
	if len(h.linear) > 0 && !h.attends(m) {
		return nil, fmt.Errorf("%s: no layer keeps an attention of its own, and llama.cpp loads no deci without any: let one stay", drop)
	}
	return h, h.silence(m, repair)
}

// attends says whether any layer that stays keeps its attention.
func (h *halving) attends(m *engine.Model) bool {
	return slices.ContainsFunc(h.drop.Without(m.Layers()), func(l int) bool {
		half := engine.Unit{Layer: l, Part: engine.Attention}
		_, attention := m.Spec.Blocks[l].Mixer.(*arch.AttentionSpec)
		return attention && !slices.Contains(h.linear, half) && !slices.Contains(h.out, half)
	})
}

// maps says whether a unit is an attention in whose place the repair has a linear map.
func (h *halving) maps(u engine.Unit) bool {
	_, mapped := h.repair.LinearOf(u.Layer)
	return mapped && u.Part == engine.Attention
}

// carriesLinear returns why a file of the format cannot have a linear map in the place of an attention of the model; nil: it can.
func (f Format) carriesLinear(m *engine.Model) error {
	switch {
	case f != FormatGGUF:
		return fmt.Errorf("a linear map in the place of an attention is written in GGUF files alone (architecture deci), not as %s", f)
	case !f.knowsHalves(m):
		return fmt.Errorf("a linear map in the place of an attention is written for models of Llama's shape alone (architecture deci), not for %s",
			m.Spec.Family)
	}
	return nil
}

// knowsHalves says whether the format has an architecture in which the model's layers may lack a half.
func (f Format) knowsHalves(m *engine.Model) bool {
	if m.Spec.Within != "" || m.Spec.Head.Classify != nil {
		return false
	}
	for i := range m.Spec.Blocks {
		b := &m.Spec.Blocks[i]
		_, attends := b.Mixer.(*arch.AttentionSpec)
		if _, linear := b.Mixer.(*arch.LinearSpec); linear {
			attends = true
		}
		_, gated := b.MLP.(*arch.GatedSpec)
		if b.Mixer != nil && !attends || b.MLP != nil && !gated {
			return false
		}
	}
	return m.Spec.Family == "llama" || m.Spec.Family == arch.NemotronNAS
}

// silence gives the halves that stay zeros for their output projections, beside what a repair replaces.
func (h *halving) silence(m *engine.Model, repair *engine.Repair) error {
	if len(h.zero) == 0 {
		return nil
	}
	h.with = m.NewRepair()
	for _, name := range repair.Names() {
		h.with.Set(repair.Stored(name))
	}
	for _, u := range h.zero {
		refs, err := outputs(&m.Spec.Blocks[u.Layer], u.Part)
		if err != nil {
			return fmt.Errorf("%s: %w", u, err)
		}
		for _, r := range refs {
			if r.Name == "" {
				continue
			}
			stored, found := m.Tensors.Lookup(r.Name)
			if !found || len(r.Joined) > 0 {
				return fmt.Errorf("%s: %w", u, weights.Missing(m.Tensors, r.Name))
			}
			stored.Data = make([]byte, len(stored.Data))
			h.with.Set(stored)
		}
	}
	return nil
}

// outputs are the references of which zeros silence a half: the projections that give what it adds, their biases, and the bias of a norm
// behind them.
func outputs(b *arch.BlockSpec, part engine.Part) ([]*arch.Ref, error) {
	var out []*arch.Linear
	post := &b.Post1
	if part == engine.MLP {
		post = &b.Post2
		switch m := b.MLP.(type) {
		case *arch.GatedSpec:
			out = append(out, &m.Down)
		case *arch.ExpertsSpec:
			for i := range m.Experts {
				out = append(out, &m.Experts[i].Down)
			}
			if m.Shared != nil {
				out = append(out, &m.Shared.Down)
			}
		default:
			return nil, fmt.Errorf("an MLP (%T) without a projection to set to zero", b.MLP)
		}
	} else {
		switch m := b.Mixer.(type) {
		case *arch.AttentionSpec:
			out = append(out, &m.O)
		case *arch.LatentSpec:
			out = append(out, &m.O)
		case *arch.DeltaSpec:
			out = append(out, &m.O)
		case *arch.ConvolutionSpec:
			out = append(out, &m.O)
		case *arch.LinearSpec:
			out = append(out, &m.O)
		default:
			return nil, fmt.Errorf("a mixer (%T) without a projection to set to zero", b.Mixer)
		}
	}
	refs := []*arch.Ref{&post.Bias}
	for _, l := range out {
		refs = append(refs, &l.Weight, &l.Bias)
	}
	return refs, nil
}

// gone are the names of the tensors that go with the halves left out.
func (h *halving) gone(m *engine.Model) []string {
	var names []string
	for _, u := range h.out {
		b := &m.Spec.Blocks[u.Layer]
		visit := func(r *arch.Ref) {
			if r.Name != "" {
				names = append(names, r.Name)
			}
		}
		if u.Part == engine.Attention {
			b.AttentionRefs(visit)
		} else {
			b.MLPRefs(visit)
		}
	}
	for _, u := range h.linear { // the norm in front stays
		m.Spec.Blocks[u.Layer].Mixer.Refs(func(r *arch.Ref) {
			if r.Name != "" {
				names = append(names, r.Name)
			}
		})
	}
	return names
}

// saves is what the written model is smaller by.
func (h *halving) saves() engine.Drop {
	return slices.DeleteFunc(slices.Clone(h.drop), func(u engine.Unit) bool { return slices.Contains(h.zero, u) })
}

// Saves is what of a set makes a model that is written with a repair smaller: without the halves of which a format only silences the output. A
// format that is not asked for is the model's own.
func Saves(m *engine.Model, drop engine.Drop, format Format, repair *engine.Repair) (engine.Drop, error) {
	format, err := FormatOf(m, format)
	if err != nil {
		return nil, err
	}
	h, err := format.halve(m, drop, repair)
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	return h.saves(), nil
}

// tell says what a person should know of how the halves went.
func (h *halving) tell(f Format, notice func(string, ...any)) {
	list := func(units []engine.Unit) engine.Drop { return slices.Clone(units) }
	if len(h.out) > 0 {
		switch f {
		case FormatGGUF:
			notice("%s left out: the file's architecture is deci, which llama.cpp loads", list(h.out))
		case FormatHF:
			notice("%s left out: the folder's model_type is nemotron-nas, which transformers loads with trust_remote_code, by the code beside it, "+
				"and whose form is vLLM's", list(h.out))
		}
	}
	if len(h.linear) > 0 {
		notice("%s written as linear maps: the file's architecture is deci, which llama.cpp loads", list(h.linear))
	}
	if len(h.zero) > 0 {
		notice("%s written with zeros for the output projection: the same function in every runtime, but neither bytes nor time are saved",
			list(h.zero))
	}
}
