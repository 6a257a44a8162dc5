package engine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// largest against a stable sort of everything, with equal values, infinities and NaN.
func TestLargestIsTheHeadOfAStableSort(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 2000 {
		values := make([]float64, 1+r.IntN(20))
		for i := range values {
			values[i] = [...]float64{0, 1, 1, 2, math.Inf(-1), math.Inf(1), math.NaN(), r.Float64()}[r.IntN(8)]
		}
		order := make([]int, len(values))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[b], values[a]) })
		n := r.IntN(len(values) + 1)
		if got := largest(values, n); !slices.Equal(got, order[:n]) {
			t.Fatalf("the %d largest of %v are %v, want %v", n, values, got, order[:n])
		}
	}
}
