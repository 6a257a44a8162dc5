package prune

import (
	"fmt"
	"slices"
	"strings"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/internal/gguf"
)

// Layers with one half in a GGUF file: architecture deci, in which lists of heads and widths say 0 for what a block lacks (llama.cpp,
// src/models/deci.cpp).

const deci = "deci"

// idleWidth is how wide the MLP of a block is that has lost its own. llama.cpp forgets the attention of a block without any, so that a block
// keeps one of zeros, as narrow as a block of quantised values.
const idleWidth = 32

// deci turns what a Llama file without some blocks consists of into a file in which blocks lack halves.
func (h *halving) deci(m *engine.Model, file *gguf.File, metadata []gguf.KV, sources []gguf.Source) ([]gguf.KV, []gguf.Source, error) {
	was, _, _ := gguf.Get[string](file, "general.architecture")
	var heads, kvHeads, inner []uint32
	var attention *arch.AttentionSpec
	stay := h.drop.Without(m.Layers())
	for _, l := range stay {
		b := &m.Spec.Blocks[l]
		heads, kvHeads, inner = append(heads, 0), append(kvHeads, 0), append(inner, 0)
		at := len(heads) - 1
		if a, there := b.Mixer.(*arch.AttentionSpec); there && !slices.Contains(h.out, engine.Unit{Layer: l, Part: engine.Attention}) {
			heads[at], kvHeads[at], attention = uint32(a.Heads), uint32(a.KVHeads), a
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
	for at, l := range stay {
		b := &m.Spec.Blocks[l]
		if _, there := b.MLP.(*arch.GatedSpec); there && !slices.Contains(h.out, engine.Unit{Layer: l, Part: engine.MLP}) {
			continue
		}
		sources = append(sources, idle(at, m.Spec.Hidden)...)
	}
	return metadata, sources, nil
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
