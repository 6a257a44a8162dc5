package bench

import (
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// resamples is how many times the paired bootstrap draws: p values come in steps of 2/(resamples+1).
const resamples = 2000

// PairedBootstrap tests whether two models' losses on the same documents differ (Efron and Tibshirani, An Introduction to the Bootstrap,
// chapters 13 and 16). before, after: [documents] negative log-likelihoods; weights: [documents] their words, bytes or tokens. Documents
// are drawn with replacement, both models' losses together; p is twice the smaller share of draws on one side of no difference. The same
// seed gives the same figures.
func PairedBootstrap(before, after, weights []float64, seed uint64) Test {
	t, _ := pairedBootstrap(before, after, weights, seed)
	return t
}

// pairedBootstrap is PairedBootstrap with the differences of its draws; of one document, none.
func pairedBootstrap(before, after, weights []float64, seed uint64) (Test, []float64) {
	n := len(before)
	difference := make([]float64, n)
	for i := range difference {
		difference[i] = after[i] - before[i]
	}
	t := Test{Name: "paired bootstrap, 2000 draws", P: 1, Difference: floats.Sum(difference) / floats.Sum(weights)}
	t.Low, t.High = t.Difference, t.Difference
	if n < 2 {
		return t, nil
	}
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	draws := make([]float64, resamples)
	var below, above int
	for d := range draws {
		var loss, weight float64
		for range n {
			i := random.IntN(n)
			loss += difference[i]
			weight += weights[i]
		}
		draws[d] = loss / weight
		if draws[d] <= 0 {
			below++
		}
		if draws[d] >= 0 {
			above++
		}
	}
	sorted := slices.Sorted(slices.Values(draws))
	t.Low, t.High = stat.Quantile(0.025, stat.Empirical, sorted, nil), stat.Quantile(0.975, stat.Empirical, sorted, nil)
	t.P = min(1, 2*float64(min(below, above)+1)/(resamples+1))
	return t, draws
}
