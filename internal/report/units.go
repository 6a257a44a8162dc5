package report

import (
	"fmt"
	"strings"

	"avssnative/prune"
)

// What the numbers of scores and plans are called: layers by their numbers, halves of layers as 7.attn and 7.mlp.

// rows is how many things the scores are of.
func (r *Report) rows() int { return unitsOf(r.Model.Layers, r.Unit) }

func unitsOf(layers int, unit string) int {
	if unit == prune.Sublayer {
		return 2 * layers
	}
	return layers
}

// unit is what the plan or the sweep chooses from.
func (r *Report) unit() string {
	switch {
	case r.Plan != nil:
		return r.Plan.Unit
	case r.Sweep != nil:
		return r.Sweep.Unit
	}
	return ""
}

// which names some units in a sentence, and says of how many they are.
func (r *Report) which(units []int) (names, of string) {
	if r.unit() == prune.Sublayer {
		return UnitSet(units).shown(), fmt.Sprintf("%d halves of layers", 2*r.Model.Layers)
	}
	return plural("layer", units), fmt.Sprint(r.Model.Layers)
}

// unitAxis is what pictures by unit have below.
func (r *Report) unitAxis() string {
	if r.Unit == prune.Sublayer {
		return "half of a layer: attention and MLP by turns"
	}
	return "layer"
}

// units are numbers of units in ascending order, or in an order that means something.
func units(numbers []int, unit string, ordered bool) Cell {
	switch {
	case unit == prune.Sublayer && ordered:
		return UnitOrder(numbers)
	case unit == prune.Sublayer:
		return UnitSet(numbers)
	case ordered:
		return LayerOrder(numbers)
	}
	return LayerSet(numbers)
}

// UnitSet is halves of layers; both halves of one, one after the other, are called by the layer.
type UnitSet []int

func (u UnitSet) words() []string {
	var words []string
	for i := 0; i < len(u); i++ {
		if u[i]%2 == 0 && i+1 < len(u) && u[i+1] == u[i]+1 {
			words = append(words, fmt.Sprint(u[i]/2))
			i++
			continue
		}
		words = append(words, prune.UnitName(prune.Sublayer, u[i]))
	}
	return words
}

func (u UnitSet) shown() string { return strings.Join(u.words(), ", ") }
func (u UnitSet) values() []any { return []any{strings.Join(u.words(), " ")} }

// UnitOrder is halves of layers in an order that means something.
type UnitOrder []int

func (u UnitOrder) shown() string { return strings.Join(u.words(), ", ") }
func (u UnitOrder) values() []any { return []any{strings.Join(u.words(), " ")} }

func (u UnitOrder) words() []string {
	words := make([]string, len(u))
	for i, n := range u {
		words[i] = prune.UnitName(prune.Sublayer, n)
	}
	return words
}
