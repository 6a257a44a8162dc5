package engine

import "avssnative/engine/arch"

// What a layer keeps of a sequence, in rows and columns. The cache is made by it (cache.go), and what is said about the cache's size is counted
// by it.

// kept is what one layer keeps of one sequence.
type kept struct {
	// Keys and values stand in a row a token; where attention sees no more than the last tokens, in a ring of rows: position p in row p mod rows.
	rows, keys, values int      // values 0: they are the first columns of the keys
	ring               bool     // rows are fewer than the sequence's tokens
	state              int      // values of a delta rule's state
	inputs             [3]input // of convolutions
}

// input is the last rows that entered a convolution.
type input struct{ rows, cols int }

// kept is what a layer keeps of so many tokens, of which `back` may be taken back without walking anew; at least mostFew may.
func (m *Model) kept(layer, tokens, back int) kept {
	switch s := m.Spec.Blocks[layer].Mixer.(type) {
	case *arch.AttentionSpec:
		k := kept{rows: tokens, keys: s.KVHeads * s.HeadDim, values: s.KVHeads * s.ValueDim}
		if seen := reach(s); seen > 0 && seen+max(back, mostFew) < tokens {
			k.rows, k.ring = seen+max(back, mostFew), true
		}
		return k
	case *arch.LatentSpec:
		if s.KHeads != nil || m.absorbable(s) {
			return kept{rows: tokens, keys: s.Rank + s.Rotated}
		}
		return kept{rows: tokens, keys: s.Heads * (s.Still + s.Rotated), values: s.Heads * s.Value}
	case *arch.DeltaSpec:
		return kept{state: s.Heads * s.KeyDim * s.ValueDim, inputs: [3]input{before(&s.KernelQ), before(&s.KernelK), before(&s.KernelV)}}
	case *arch.ConvolutionSpec:
		return kept{inputs: [3]input{before(&s.Kernel)}}
	}
	return kept{}
}

// reach is how many positions a token sees at most, itself among them; 0: all before it.
func reach(s *arch.AttentionSpec) int {
	switch {
	case !s.Causal:
		return 0
	case s.Window > 0 && s.Chunk > 0:
		return min(s.Window, s.Chunk)
	}
	return max(s.Window, s.Chunk)
}

// before is what a convolution sees beside the row itself.
func before(kernel *arch.Ref) input { return input{kernel.In - 1, kernel.Out} }

// absorbable says whether latent attention can read latent rows as keys: the matrices that make keys and values of them must be read transposed,
// which those stored in blocks cannot be.
func (m *Model) absorbable(s *arch.LatentSpec) bool {
	if s.K.Weight.Transposed {
		return false
	}
	stored, found := m.Tensors.Lookup(s.K.Weight.Name)
	if !found {
		return true // a configuration alone: files hold numbers by themselves unless it says otherwise
	}
	values, _, err := stored.Type.Block()
	return err == nil && values == 1
}

// count is how many values that is.
func (k kept) count() int64 {
	n := int64(k.rows)*int64(k.keys+k.values) + int64(k.state)
	for _, in := range k.inputs {
		n += int64(in.rows) * int64(in.cols)
	}
	return n
}

// recurrent says whether the layer keeps anything else than rows a token.
func (k kept) recurrent() bool { return k.state > 0 || k.inputs[0].rows > 0 }

// CacheBytes is what a sequence that may come to so many tokens keeps for generating, without the units dropped, with values of so many bytes (2
// in most runtimes, 4 in a Decoder). Layers that see a window or a chunk keep that, and mostFew tokens more, which a step adds or takes back.
func (m *Model) CacheBytes(drop Drop, tokens, value int) int64 {
	return m.cacheValues(drop, tokens, 0) * int64(value)
}

func (m *Model) cacheValues(drop Drop, tokens, back int) int64 {
	values := int64(0)
	for l := range m.Spec.Blocks {
		if p := drop.of(l); p != Layer && p != Attention {
			values += m.kept(l, tokens, back).count()
		}
	}
	return values
}
