package bench

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// An Interval holds a figure with 95 % confidence.
type Interval struct{ Low, High float64 }

// drawn is what a pruned model kept of a task in each draw of a bootstrap over its items, both models' answers to an item together. NaN where a draw
// leaves nothing to keep.
type drawn struct{ retention, corrected []float64 }

// drawAccuracy resamples questions. Only how many both, one or none of the models answers rightly counts, so that a draw is one of the multinomial
// distribution of these four.
func drawAccuracy(task string, both, lost, won, neither int, chance float64, seed uint64) drawn {
	name := fnv.New64a()
	name.Write([]byte(task))
	random := rand.NewPCG(seed, name.Sum64())
	n := both + lost + won + neither
	binomial := func(trials, part, of int) int {
		if trials == 0 || part == 0 || of == 0 {
			return 0
		}
		return int(distuv.Binomial{N: float64(trials), P: float64(part) / float64(of), Src: random}.Rand())
	}
	d := drawn{make([]float64, resamples), make([]float64, resamples)}
	for i := range resamples {
		b := binomial(n, both, n)
		l := binomial(n-b, lost, n-both)
		w := binomial(n-b-l, won, n-both-lost)
		dense, pruned := float64(b+l)/float64(n), float64(b+w)/float64(n)
		d.retention[i], d.corrected[i] = ratio(pruned, dense), math.NaN()
		if dense > chance {
			d.corrected[i] = (pruned - chance) / (dense - chance)
		}
	}
	return d
}

// interval is the middle 95 % of some draws, those that are no numbers left out; of none, NaN.
func interval(draws []float64) Interval {
	sorted := slices.Sorted(slices.Values(slices.DeleteFunc(slices.Clone(draws), math.IsNaN)))
	if len(sorted) == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	return Interval{stat.Quantile(0.025, stat.Empirical, sorted, nil), stat.Quantile(0.975, stat.Empirical, sorted, nil)}
}

// meanInterval is that of the mean of several tasks' figures.
func meanInterval(tasks [][]float64) Interval {
	if len(tasks) == 0 {
		return interval(nil)
	}
	means := make([]float64, resamples)
	for i := range means {
		sum, n := 0.0, 0
		for _, draws := range tasks {
			if v := draws[i]; !math.IsNaN(v) {
				sum += v
				n++
			}
		}
		means[i] = ratio(sum, float64(n))
	}
	return interval(means)
}

// perToken is a sum over items divided by their tokens, and its standard error: that of a ratio of sums (Cochran, Sampling Techniques, section 6.3).
// NaN for one item.
func perToken(sums, tokens []float64) (value, stderr float64) {
	var sum, total, squares float64
	for i := range sums {
		sum += sums[i]
		total += tokens[i]
	}
	if total == 0 {
		return 0, math.NaN()
	}
	value = sum / total
	for i := range sums {
		d := sums[i] - value*tokens[i]
		squares += d * d
	}
	n := float64(len(sums))
	if n < 2 {
		return value, math.NaN()
	}
	return value, math.Sqrt(n/(n-1)*squares) / total
}
