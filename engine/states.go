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
	groups   int // how many of the packing's families it walks
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

// sharedWork counts what walking the variants together takes: the largest number of hidden tensors at a time, and how many times a block is
// applied to all sequences of a state, layer by layer.
func sharedWork(variants []Drop, of []int, layers int) (peak, blocks int) {
	states := [][]int{of}
	peak = 1
	for layer := range layers {
		var next [][]int
		for _, s := range states {
			for part, same := range split(variants, s, layer) {
				if len(same) == 0 {
					continue
				}
				if Part(part) != Layer {
					blocks++
				}
				next = append(next, same)
			}
		}
		states = next
		peak = max(peak, len(states))
	}
	return peak, blocks
}

// walks parts the variants into groups that are walked one after the other, so that no more than `most` hidden tensors exist at a time.
// Variants with long common prefixes stay together; variant 0 goes first in every group where first is set, for divergence.
func walks(variants []Drop, layers, most int, first bool) [][]int {
	all := make([]int, len(variants))
	for i := range all {
		all[i] = i
	}
	// Variants that leave out their first layer late share the most: the walk over all layers goes first, then by the layers left out.
	slices.SortStableFunc(all, func(a, b int) int {
		return -order(ended(variants[a], layers), ended(variants[b], layers))
	})
	var groups [][]int
	var part func(of []int)
	part = func(of []int) {
		with := of
		if first && !slices.Contains(of, 0) {
			with = append([]int{0}, of...)
		}
		if peak, _ := sharedWork(variants, with, layers); peak <= most || len(of) == 1 {
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
