package avss

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func TestKendallAgreesWithGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 20).Draw(t, "n")
		// Without ties τ-b is the τ that gonum computes.
		a := rapid.SliceOfNDistinct(rapid.Float64Range(-10, 10), n, n, rapid.ID[float64]).Draw(t, "a")
		b := rapid.SliceOfNDistinct(rapid.Float64Range(-10, 10), n, n, rapid.ID[float64]).Draw(t, "b")
		if got, want := KendallTau(a, b), stat.Kendall(a, b, nil); math.Abs(got-want) > 1e-12 {
			t.Fatalf("τ %v, want %v", got, want)
		}
		if got, want := Spearman(a, b), stat.Correlation(ranks(a), ranks(b), nil); math.Abs(got-want) > 1e-12 {
			t.Fatalf("ρ %v, want %v", got, want)
		}
	})
}

func TestCorrelationsWithTies(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		a, b     []float64
		tau, rho float64
	}{
		// Worked by hand: pairs 10, one tied in a, one in b; 8 concordant: 8/√(9·9). Ranks 0 1.5 1.5 3 4 and 0 1 2.5 2.5 4: squares
		// about 2 sum to 9.5 and 9.5, products to 8.75.
		{[]float64{1, 2, 2, 3, 4}, []float64{1, 2, 3, 3, 4}, 8. / 9, 8.75 / 9.5},
		{[]float64{1, 2, inf, inf}, []float64{1, 2, inf, inf}, 1, 1},
		{[]float64{1, 2, 3}, []float64{3, 2, 1}, -1, -1},
		{[]float64{1, 1, 1}, []float64{3, 2, 1}, nan, nan},
		{[]float64{1, nan, 2}, []float64{3, 2, 1}, nan, nan},
		{[]float64{1}, []float64{3}, nan, nan},
	} {
		tau, rho := KendallTau(c.a, c.b), Spearman(c.a, c.b)
		if math.Abs(tau-c.tau) > 1e-12 || math.IsNaN(tau) != math.IsNaN(c.tau) {
			t.Errorf("τ of %v and %v is %v, want %v", c.a, c.b, tau, c.tau)
		}
		if math.Abs(rho-c.rho) > 1e-12 || math.IsNaN(rho) != math.IsNaN(c.rho) {
			t.Errorf("ρ of %v and %v is %v, want %v", c.a, c.b, rho, c.rho)
		}
	}
}
