package bench

import (
	"fmt"
	"slices"

	"avssnative/avss"
)

// An Agreement is Kendall's τ between every two of several metrics' layer scores: 1 for the same order, −1 for the reverse, NaN where one
// of them has no order.
type Agreement struct {
	Metrics []string    // in alphabetical order
	Tau     [][]float64 // [metrics × metrics]
}

// Agree compares the orders in which metrics would drop layers. scores: a metric's [layers], the same number for all.
func Agree(scores map[string][]float64) (*Agreement, error) {
	a := &Agreement{}
	for name := range scores {
		a.Metrics = append(a.Metrics, name)
	}
	slices.Sort(a.Metrics)
	for _, x := range a.Metrics {
		row := make([]float64, len(a.Metrics))
		for i, y := range a.Metrics {
			if len(scores[x]) != len(scores[y]) {
				return nil, fmt.Errorf("bench: agreement: %s has scores of %d layers, %s of %d", x, len(scores[x]), y, len(scores[y]))
			}
			row[i] = avss.KendallTau(scores[x], scores[y])
		}
		a.Tau = append(a.Tau, row)
	}
	return a, nil
}
