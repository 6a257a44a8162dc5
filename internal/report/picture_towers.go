package report

// A score that towers above all others would press them to the floor of its picture: the axis is cut above the others, and what stands above the cut is
// drawn at its edge with its value.

import (
	"slices"
)

const (
	// towering is how many times as far from the lowest as the highest of the others a value must be to be cut off.
	towering = 4
	// mostTowers is the share of the values that may be cut off.
	mostTowers = 0.15
)

// cut is where the axis ends so that the other values can be told apart, and the places of those above; ok is false where none towers.
func cut(values []float64) (top float64, above []int, ok bool) {
	var order []int
	for i, v := range values {
		if drawable(v) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return a - b
	})
	most := max(1, int(mostTowers*float64(len(order))))
	if len(order) < 5 {
		return 0, nil, false
	}
	low := values[order[0]]
	// The lowest cut that leaves few enough above and a wide gap between them and the rest.
	for towers := most; towers >= 1; towers-- {
		rest, tower := values[order[len(order)-towers-1]], values[order[len(order)-towers]]
		if rest > low && tower-low > towering*(rest-low) {
			above = slices.Sorted(slices.Values(order[len(order)-towers:]))
			return rest, above, true
		}
	}
	return 0, nil, false
}
