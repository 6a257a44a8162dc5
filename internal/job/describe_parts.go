package job

// How large the parts of a model are, and what its layers are, in words.

import (
	"fmt"
	"maps"
	"slices"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/weights"
)

func valuesOf(t weights.Stored) int64 {
	count := int64(1)
	for _, n := range t.Shape {
		count *= int64(n)
	}
	return count
}

// typesOf adds tensors up by the type they are stored in.
func typesOf(stored []weights.Stored) []Portion {
	byType := map[string]*Portion{}
	for _, t := range stored {
		name := string(t.Type)
		if byType[name] == nil {
			byType[name] = &Portion{Name: name}
		}
		p := byType[name]
		p.Tensors++
		p.Parameters += valuesOf(t)
		p.Bytes += int64(len(t.Data))
	}
	var all []Portion
	for _, name := range slices.Sorted(maps.Keys(byType)) {
		all = append(all, *byType[name])
	}
	slices.SortStableFunc(all, func(a, b Portion) int { return int(min(max(b.Bytes-a.Bytes, -1), 1)) })
	return all
}

// partsOf adds tensors up by what they are for.
func partsOf(m *engine.Model) []Portion {
	all := func(part engine.Part) engine.Drop {
		var drop engine.Drop
		for l := range m.Layers() {
			drop = append(drop, engine.Unit{Layer: l, Part: part})
		}
		return drop
	}
	parameters, bytes := m.Size(nil)
	without := func(name string, drop engine.Drop) Portion {
		p, b := m.Size(drop)
		return Portion{Name: name, Parameters: parameters - p, Bytes: bytes - b}
	}
	layers, attention, mlp := without("layers", all(engine.Layer)), without("attention", all(engine.Attention)), without("mlp", all(engine.MLP))
	table, head := map[string]bool{}, map[string]bool{}
	m.Spec.Embed.Refs(func(r *arch.Ref) { table[r.Name] = true })
	m.Spec.HeadRefs(func(r *arch.Ref) { head[r.Name] = !table[r.Name] })
	embedding, output := Portion{Name: "embedding"}, Portion{Name: "head"}
	for _, t := range weights.File(m.Tensors) {
		p := &Portion{}
		switch _, _, inside := m.Spec.BlockOf(t.Name); {
		case inside:
		case table[t.Name]:
			p = &embedding
		case head[t.Name]:
			p = &output
		}
		p.Parameters += valuesOf(t)
		p.Bytes += int64(len(t.Data))
	}
	rest := func(name string, whole Portion, of ...Portion) Portion {
		whole.Name = name
		for _, p := range of {
			whole.Parameters -= p.Parameters
			whole.Bytes -= p.Bytes
		}
		return whole
	}
	parts := []Portion{embedding, attention, mlp, rest("rest_of_layers", layers, attention, mlp), output,
		rest("other", Portion{Parameters: parameters, Bytes: bytes}, layers, embedding, output)}
	return slices.DeleteFunc(parts, func(p Portion) bool { return p.Parameters == 0 })
}

// blocksOf describes the layers one by one.
func blocksOf(m *engine.Model) []Block {
	all := make([]Block, m.Layers())
	for l := range all {
		all[l] = Block{Index: l, Mixer: mixerWords(m.Spec.Blocks[l].Mixer), MLP: mlpWords(m.Spec.Blocks[l].MLP), Types: map[string]int{}}
	}
	for _, t := range weights.File(m.Tensors) {
		if l, _, inside := m.Spec.BlockOf(t.Name); inside && l < len(all) {
			all[l].Parameters += valuesOf(t)
			all[l].Bytes += int64(len(t.Data))
			all[l].Types[string(t.Type)]++
		}
	}
	return all
}

// mixerWords says what lets a layer's tokens see each other.
func mixerWords(mixer arch.Mixer) string {
	switch a := mixer.(type) {
	case nil:
		return ""
	case *arch.AttentionSpec:
		words := fmt.Sprintf("attention, %d heads of %d", a.Heads, a.HeadDim)
		if a.KVHeads != a.Heads {
			words += fmt.Sprintf(", %d for keys and values", a.KVHeads)
		}
		if !a.Causal {
			words += ", both ways"
		}
		if seen := max(a.Window, a.Chunk); seen > 0 {
			words += fmt.Sprintf(", window %d", seen)
		}
		return words
	case *arch.LatentSpec:
		return fmt.Sprintf("latent attention, %d heads, rank %d", a.Heads, a.Rank)
	case *arch.DeltaSpec:
		return fmt.Sprintf("gated delta rule, %d heads of %d × %d", a.Heads, a.KeyDim, a.ValueDim)
	case *arch.LinearSpec:
		return "a linear map"
	case *arch.ConvolutionSpec:
		return fmt.Sprintf("short convolution of %d", a.Kernel.In)
	}
	return fmt.Sprintf("%T", mixer)
}

// mlpWords says what a layer does to each token alone.
func mlpWords(mlp arch.MLP) string {
	switch g := mlp.(type) {
	case nil:
		return ""
	case *arch.GatedSpec:
		return fmt.Sprintf("MLP of %d", g.Down.Weight.In)
	case *arch.ExpertsSpec:
		words := fmt.Sprintf("%d experts of %d, %d a token", len(g.Experts), g.Inner, g.Routing.Top)
		if g.Shared != nil {
			words += fmt.Sprintf(", and a shared one of %d", g.Shared.Down.Weight.In)
		}
		return words
	}
	return fmt.Sprintf("%T", mlp)
}

// cacheOf is what generating keeps; nil for what generates nothing.
func cacheOf(m *engine.Model) *Cache {
	if m.Spec.Head.Classify != nil {
		return nil
	}
	const half = 2
	c := &Cache{PerToken: m.CacheBytes(nil, 2, half) - m.CacheBytes(nil, 1, half)}
	c.Once = m.CacheBytes(nil, 1, half) - c.PerToken
	if m.Spec.Context > 0 {
		c.Whole = m.CacheBytes(nil, m.Spec.Context, half)
	}
	for i := range m.Spec.Blocks {
		if a, is := m.Spec.Blocks[i].Mixer.(*arch.AttentionSpec); is && (a.Window > 0 || a.Chunk > 0) {
			c.Windowed++
		}
	}
	return c
}
