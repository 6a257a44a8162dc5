package engine

import (
	"fmt"
	"slices"

	"avssnative/engine/device"
)

// A state is the hidden tensor of all variants that agree on the layers so far. There is one at first; where its variants differ, those
// that leave the layer out keep the tensor and those that apply it get one of their own.
type state struct {
	variants []int // indices of the variants that are in this state, ascending
	hidden   device.Tensor
	groups   int // how many of the packing's families it walks
}

// checkVariants makes sure that every variant is an ascending set of layers that leaves at least one.
func checkVariants(variants []Drop, layers int) error {
	for i, drop := range variants {
		for j, layer := range drop {
			if layer < 0 || layer >= layers {
				return fmt.Errorf("engine: variant %d drops layer %d: the model has layers 0 to %d", i, layer, layers-1)
			}
			if j > 0 && layer <= drop[j-1] {
				return fmt.Errorf("engine: variant %d drops %v: layers must ascend", i, []int(drop))
			}
		}
		if len(drop) == layers {
			return fmt.Errorf("engine: variant %d drops all %d layers: at least one must stay", i, layers)
		}
	}
	return nil
}

// split parts a state's variants into those that apply a layer and those that leave it out.
func split(variants []Drop, of []int, layer int) (apply, skip []int) {
	for _, v := range of {
		if slices.Contains(variants[v], layer) {
			skip = append(skip, v)
		} else {
			apply = append(apply, v)
		}
	}
	return apply, skip
}

// foresee counts what walking the variants together takes: the largest number of hidden tensors at a time, and how many times a block is
// applied to all sequences of a state, layer by layer.
func sharedWork(variants []Drop, of []int, layers int) (peak, blocks int) {
	states := [][]int{of}
	peak = 1
	for layer := range layers {
		var next [][]int
		for _, s := range states {
			apply, skip := split(variants, s, layer)
			if len(apply) > 0 {
				blocks++
				next = append(next, apply)
			}
			if len(skip) > 0 {
				next = append(next, skip)
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
	order := make([]int, len(variants))
	for i := range order {
		order[i] = i
	}
	// Variants that leave out their first layer late share the most: the walk over all layers goes first, then by the layers left out.
	slices.SortStableFunc(order, func(a, b int) int {
		return -slices.Compare(ended(variants[a], layers), ended(variants[b], layers))
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
	part(order)
	return groups
}

// complete ends a set of layers with one behind the last, so that a set that goes on compares smaller than one that has ended.
func ended(d Drop, layers int) []int { return append(slices.Clone([]int(d)), layers) }
