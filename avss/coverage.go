package avss

// Which sequences each layer has been measured on: what keeps a sequence from being counted twice, whether in one pass or by merging two
// shards that overlap, and what tells a pass that ended from one that did not.

import (
	"fmt"
	"math"
	"slices"
)

// maxLayers bounds what is believed of a file; no model is near it.
const maxLayers = 1 << 14

// span is the sequences from first to before end.
type span struct{ first, end int64 }

// coverage holds, a layer, disjoint ascending spans that do not touch.
type coverage struct{ layers [][]span }

// see notes that a layer, of so many, was measured on a sequence; sequence is the number among those of all shards.
func (c *coverage) see(layer, layers int, sequence int64) error {
	if layers < 1 || layers > maxLayers || layer < 0 || layer >= layers {
		return fmt.Errorf("layer %d of %d does not exist", layer, layers)
	}
	if sequence < 0 || sequence >= maxCount {
		return fmt.Errorf("layer %d: sequence %d: a number from 0 to 2^55−1 is wanted", layer, sequence)
	}
	if c.layers == nil {
		c.layers = make([][]span, layers)
	}
	if len(c.layers) != layers {
		return fmt.Errorf("layer %d: the model has %d layers, %d before", layer, layers, len(c.layers))
	}
	joined, ok := join(c.layers[layer], span{sequence, sequence + 1})
	if !ok {
		return fmt.Errorf("layer %d: sequence %d is measured twice", layer, sequence)
	}
	c.layers[layer] = joined
	return nil
}

// join puts a span among others; false where they share a sequence.
func join(spans []span, s span) ([]span, bool) {
	i, _ := slices.BinarySearchFunc(spans, s, func(a, b span) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		return 0
	})
	if i > 0 && spans[i-1].end > s.first || i < len(spans) && spans[i].first < s.end {
		return spans, false
	}
	before := i > 0 && spans[i-1].end == s.first
	after := i < len(spans) && spans[i].first == s.end
	switch {
	case before && after:
		spans[i-1].end = spans[i].end
		return slices.Delete(spans, i, i+1), true
	case before:
		spans[i-1].end = s.end
	case after:
		spans[i].first = s.first
	default:
		spans = slices.Insert(spans, i, s)
	}
	return spans, true
}

// merged is the union of two coverages, which it leaves as they are.
func (c *coverage) merged(o *coverage) (coverage, error) {
	if c.layers == nil {
		c, o = o, c
	}
	out := coverage{make([][]span, len(c.layers))}
	for l := range c.layers {
		out.layers[l] = slices.Clone(c.layers[l])
	}
	if o.layers == nil {
		if c.layers == nil {
			out.layers = nil
		}
		return out, nil
	}
	if len(o.layers) != len(c.layers) {
		return out, fmt.Errorf("states of models with %d and %d layers do not merge", len(c.layers), len(o.layers))
	}
	for l, spans := range o.layers {
		for _, s := range spans {
			joined, ok := join(out.layers[l], s)
			if !ok {
				return out, fmt.Errorf("layer %d: both states hold sequences among %d to %d: a shard is counted twice", l, s.first, s.end-1)
			}
			out.layers[l] = joined
		}
	}
	return out, nil
}

// complete says why scores cannot be told yet: nothing seen, or layers that have not seen the same sequences.
func (c *coverage) complete() error {
	if len(c.layers) == 0 || len(c.layers[0]) == 0 {
		return fmt.Errorf("no sequence has been measured")
	}
	for l := range c.layers {
		if !slices.Equal(c.layers[l], c.layers[0]) {
			return fmt.Errorf("layer %d has seen %d sequences and layer 0 %d: the pass did not end", l, c.sequences(l), c.sequences(0))
		}
	}
	return nil
}

// sequences is how many sequences a layer has seen.
func (c *coverage) sequences(layer int) int64 {
	var n int64
	for _, s := range c.layers[layer] {
		n += s.end - s.first
	}
	return n
}

func (c *coverage) write(w *writer) {
	w.uvarint(uint64(len(c.layers)))
	for _, spans := range c.layers {
		w.uvarint(uint64(len(spans)))
		for _, s := range spans {
			w.count(s.first)
			w.count(s.end - s.first)
		}
	}
}

func (c *coverage) read(r *reader) {
	*c = coverage{}
	n := r.length("layers", 1, maxLayers)
	if n == 0 {
		return
	}
	c.layers = make([][]span, n)
	for l := range c.layers {
		last := int64(-1)
		for range r.length("runs of sequences", 2, math.MaxInt32) {
			first, count := r.count(), r.count()
			if r.err == nil && (first <= last || count < 1 || count > maxCount-first) {
				r.fail(fmt.Sprintf("layer %d: a run of %d sequences from %d behind %d", l, count, first, last))
			}
			if r.err != nil {
				return
			}
			c.layers[l] = append(c.layers[l], span{first, first + count})
			last = first + count
		}
	}
}
