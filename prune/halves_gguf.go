package prune

import (
	"fmt"
	"slices"
	"strings"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/internal/gguf"
)

// Layers with one half in a GGUF file: architecture deci, in which lists of heads and widths say 0 for what a block lacks, and heads without
// heads for keys mean that attn_output is a linear map of the block's normed input (llama.cpp, src/models/deci.cpp).

const deci = "deci"

// idleWidth is how wide the MLP of a block is that has lost its own. llama.cpp forgets the attention of a block without any, so that a block
// keeps one of zeros, as narrow as a block of quantised values.
const idleWidth = 32

// deci turns what a Llama file without some blocks consists of into a file in which blocks lack halves.
func (h *halving) deci(m *engine.Model, file *gguf.File, metadata []gguf.KV, sources []gguf.Source) ([]gguf.KV, []gguf.Source, error) {
	was, _, _ := gguf.Get[string](file, "general.architecture")
	attention := anAttention(m)
	if attention == nil {
		return nil, nil, fmt.Errorf("the model has no attention from which the size of a head is known")
	}
	var heads, kvHeads, inner []uint32
	stay := h.drop.Without(m.Layers())
	for _, l := range stay {
		b := &m.Spec.Blocks[l]
		heads, kvHeads, inner = append(heads, 0), append(kvHeads, 0), append(inner, 0)
		at := len(heads) - 1
		half := engine.Unit{Layer: l, Part: engine.Attention}
		switch a, attends := b.Mixer.(*arch.AttentionSpec); {
		case b.Mixer == nil, slices.Contains(h.out, half):
		case !attends, slices.Contains(h.linear, half):
			heads[at] = uint32(attention.Heads)
		default:
			heads[at], kvHeads[at] = uint32(a.Heads), uint32(a.KVHeads)
		}
		switch g, there := b.MLP.(*arch.GatedSpec); {
		case !there || slices.Contains(h.out, engine.Unit{Layer: l, Part: engine.MLP}):
			inner[at] = idleWidth
		default:
			inner[at] = uint32(g.Down.Weight.In)
		}
	}
	for i := range metadata {
		switch key, ours := strings.CutPrefix(metadata[i].Key, was+"."); {
		case metadata[i].Key == "general.architecture":
			metadata[i].Value = deci
		case ours:
			metadata[i].Key = deci + "." + key
		}
	}
	set := func(key string, value any) {
		metadata = slices.DeleteFunc(metadata, func(entry gguf.KV) bool { return entry.Key == deci+"."+key })
		metadata = append(metadata, gguf.KV{Key: deci + "." + key, Value: value})
	}
	set("attention.head_count", heads)
	set("attention.head_count_kv", kvHeads)
	set("feed_forward_length", inner)
	// What follows from the number of heads elsewhere is said, as that number differs.
	for _, key := range []string{"attention.key_length", "attention.value_length", "rope.dimension_count"} {
		set(key, uint32(attention.HeadDim))
	}
	gone, err := h.goneGGUF(m, stay)
	if err != nil {
		return nil, nil, err
	}
	sources = slices.DeleteFunc(sources, func(s gguf.Source) bool { return gone[s.Name] })
	for _, u := range h.linear {
		source, err := h.linearSource(file, u.Layer, slices.Index(stay, u.Layer))
		if err != nil {
			return nil, nil, err
		}
		sources = append(sources, source)
	}
	if len(h.linear) > 0 {
		metadata = append(metadata, gguf.KV{Key: linearKey, Value: engine.Drop(h.linear).String()})
	}
	for at, l := range stay {
		b := &m.Spec.Blocks[l]
		if _, there := b.MLP.(*arch.GatedSpec); there && !slices.Contains(h.out, engine.Unit{Layer: l, Part: engine.MLP}) {
			continue
		}
		sources = append(sources, idle(at, m.Spec.Hidden)...)
	}
	return metadata, sources, nil
}

// anAttention is one of a model's, which in such models have one number of heads; nil where there is none.
func anAttention(m *engine.Model) *arch.AttentionSpec {
	for i := range m.Spec.Blocks {
		if a, attends := m.Spec.Blocks[i].Mixer.(*arch.AttentionSpec); attends {
			return a
		}
	}
	return nil
}

// linearSource is the tensor of the linear map in the place of a layer's attention, whose type other tensors of the file have too.
func (h *halving) linearSource(file *gguf.File, layer, block int) (gguf.Source, error) {
	w, _ := h.repair.LinearOf(layer)
	for _, t := range file.Tensors() {
		if t.Type.String() == string(w.Type) {
			return gguf.Bytes(fmt.Sprintf("blk.%d.attn_output.weight", block), t.Type, []int64{int64(w.Shape[0]), int64(w.Shape[1])}, w.Data), nil
		}
	}
	return gguf.Source{}, fmt.Errorf("the linear map of layer %d is of type %s, which no tensor of the file has", layer, w.Type)
}

// goneGGUF are the file's own names, as renumbered, of the tensors that go with the halves left out.
func (h *halving) goneGGUF(m *engine.Model, stay []int) (map[string]bool, error) {
	views, ours := m.Tensors.(interface {
		Origin(name string) (gguf.Tensor, bool)
	})
	gone := map[string]bool{}
	for _, name := range h.gone(m) {
		if !ours {
			return nil, fmt.Errorf("%s: no tensor of a GGUF file", name)
		}
		view, found := views.Origin(name)
		var block int
		var rest string
		if n, _ := fmt.Sscanf(view.Name, "blk.%d.%s", &block, &rest); !found || n != 2 {
			return nil, fmt.Errorf("%s: no tensor of a block", name)
		}
		gone[fmt.Sprintf("blk.%d.%s", slices.Index(stay, block), rest)] = true
	}
	return gone, nil
}

// idle is an MLP that gives zeros, with its norm.
func idle(block, hidden int) []gguf.Source {
	zeros := func(name string, out, in int) gguf.Source {
		kind := gguf.F32
		if in%32 == 0 {
			kind = gguf.Q8_0
		}
		values, bytes := kind.Block()
		return gguf.Bytes(fmt.Sprintf("blk.%d.%s.weight", block, name), kind, []int64{int64(out), int64(in)}, make([]byte, out*in/values*bytes))
	}
	return []gguf.Source{
		gguf.Bytes(fmt.Sprintf("blk.%d.ffn_norm.weight", block), gguf.F32, []int64{int64(hidden)}, make([]byte, 4*hidden)),
		zeros("ffn_gate", idleWidth, hidden), zeros("ffn_up", idleWidth, hidden), zeros("ffn_down", hidden, idleWidth),
	}
}
