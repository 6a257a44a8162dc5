package engine

import (
	"cmp"
	"fmt"
	"slices"

	"avssnative/engine/device"
)

// A state is the hidden tensor of all variants that agree on the layers so far. There is one at first; where its variants differ, those
// that leave the layer out keep the tensor and those that apply all or half of it get one of their own.
type state struct {
	variants []int // indices of the variants that are in this state, ascending
	hidden   device.Tensor
	groups   int // how many of the packing's prompt groups it walks
}

// checkVariants makes sure that every variant is a set of units in its one form that leaves something.
func checkVariants(variants []Drop, layers int) error {
	for i, drop := range variants {
		if err := drop.check(layers); err != nil {
			return fmt.Errorf("engine: variant %d %w", i, err)
		}
	}
	return nil
}

// split sorts a state's variants by what of a layer they leave out.
func split(variants []Drop, of []int, layer int) (by [parts + 1][]int) {
	for _, v := range of {
		p := variants[v].of(layer)
		by[p] = append(by[p], v)
	}
	return by
}

// variantSet is the variants of a pass: what each leaves out, and what it computes with instead of the model's own tensors.
type variantSet struct {
	drops   []Drop
	repairs []*Repair // as many; nil: none
	layers  int
	at      map[int][]*Repair // by layer: see repairAt
}

// repairAt is what a variant computes a layer with, or steps over it with: of all repairs that do so by the same bytes, the first.
func (s *variantSet) repairAt(variant, layer int) *Repair {
	if found, done := s.at[layer]; done {
		return found[variant]
	}
	first := map[string]*Repair{"": nil}
	all := make([]*Repair, len(s.repairs))
	for v, r := range s.repairs {
		what := r.identity(layer, s.drops[v].of(layer))
		if _, known := first[what]; !known {
			first[what] = r
		}
		all[v] = first[what]
	}
	if s.at == nil {
		s.at = map[int][]*Repair{}
	}
	s.at[layer] = all
	return all[variant]
}

// cohort is variants of one state that a layer treats alike.
type cohort struct {
	part    Part    // what they leave out
	repair  *Repair // with what they compute instead; nil: the layer's own tensors, or nothing
	members []int
}

// stays says that the layer does nothing to the cohort.
func (c cohort) stays() bool { return c.part == Layer && c.repair == nil }

// split parts a state's variants at a layer: those that leave it out first, then in the order in which moves are made.
func (s *variantSet) split(of []int, layer int) []cohort {
	var all []cohort
	by := split(s.drops, of, layer)
	for _, part := range [...]Part{Layer, none, Attention, MLP} {
		from := len(all)
		for _, v := range by[part] {
			r := s.repairAt(v, layer)
			at := slices.IndexFunc(all[from:], func(c cohort) bool { return c.repair == r })
			if at < 0 {
				at = len(all) - from
				all = append(all, cohort{part: part, repair: r})
			}
			all[from+at].members = append(all[from+at].members, v)
		}
		slices.SortFunc(all[from:], func(a, b cohort) int { return s.rank(a.repair) - s.rank(b.repair) })
	}
	return all
}

// sharedWork counts what walking variants together takes: the largest number of hidden tensors at a time, and how many times a block is
// applied to all sequences of a state, layer by layer.
func (s *variantSet) sharedWork(of []int) (peak, blocks int) {
	states := [][]int{of}
	peak = 1
	for layer := range s.layers {
		var next [][]int
		for _, state := range states {
			for _, c := range s.split(state, layer) {
				if c.part != Layer {
					blocks++
				}
				next = append(next, c.members)
			}
		}
		states = next
		peak = max(peak, len(states))
	}
	return peak, blocks
}

// rank is a repair's place in the order of moves: none first.
func (s *variantSet) rank(r *Repair) int {
	if r == nil {
		return -1
	}
	return slices.Index(s.repairs, r)
}

// walks parts the variants into groups that are walked one after the other, so that no more than `most` hidden tensors exist at a time.
// Variants with long common prefixes stay together; variant 0 goes first in every group where first is set, for divergence.
func (s *variantSet) walks(most int, first bool) [][]int {
	all := make([]int, len(s.drops))
	for i := range all {
		all[i] = i
	}
	// Variants that leave out their first layer late share the most: the walk over all layers goes first, then by the layers left out.
	slices.SortStableFunc(all, func(a, b int) int {
		return -order(ended(s.drops[a], s.layers), ended(s.drops[b], s.layers))
	})
	var groups [][]int
	var part func(of []int)
	part = func(of []int) {
		with := of
		if first && !slices.Contains(of, 0) {
			with = append([]int{0}, of...)
		}
		if peak, _ := s.sharedWork(with); peak <= most || len(of) == 1 {
			slices.Sort(with)
			groups = append(groups, with)
			return
		}
		part(slices.Clone(of[:len(of)/2]))
		part(slices.Clone(of[len(of)/2:]))
	}
	part(all)
	return groups
}

// ended ends a set of units with one behind the last layer, so that a set that goes on compares smaller than one that has ended.
func ended(d Drop, layers int) Drop { return append(slices.Clone(d), Unit{Layer: layers}) }

// order compares sets unit by unit.
func order(a, b Drop) int {
	return slices.CompareFunc(a, b, func(a, b Unit) int { return cmp.Or(a.Layer-b.Layer, int(a.Part)-int(b.Part)) })
}
