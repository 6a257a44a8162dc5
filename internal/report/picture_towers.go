package report

// A score that towers above all others would press them to the floor of its picture: the axis is cut above the others, and what stands above the
// cut is drawn at its edge with its value.

import "slices"

const (
	// towering is how many times as far from the lowest as the highest of the bulk a value must be to be cut off.
	towering = 4
	// worthCutting is the same for the highest: below it the picture still shows the others.
	worthCutting = 8
	// bulk is the share of the values that are never cut off.
	bulk = 0.85
)

// cut is where the axis ends so that the bulk of some values can be told apart, and the places of those above; ok is false where none towers, or
// where what is left spans so much that only a logarithm shows it.
func cut(values []float64) (top float64, above []int, ok bool) {
	var sorted []float64
	for _, v := range values {
		if drawable(v) {
			sorted = append(sorted, v)
		}
	}
	slices.Sort(sorted)
	if len(sorted) < 6 {
		return 0, nil, false
	}
	low, high := sorted[0], sorted[len(sorted)-1]
	wide := sorted[min(len(sorted)-2, int(bulk*float64(len(sorted)))-1)] - low
	if !(wide > 0) || high-low <= worthCutting*wide {
		return 0, nil, false
	}
	var rest []float64
	for i, v := range values {
		switch {
		case !drawable(v):
		case v-low > towering*wide:
			above = append(above, i)
		default:
			rest = append(rest, v)
		}
	}
	return slices.Max(rest), above, !stretched(rest)
}
