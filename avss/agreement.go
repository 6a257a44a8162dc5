package avss

// Agreement of rankings.

import (
	"math"
	"sort"
)

// KendallTau is Kendall's τ-b of two lists of equal length: (concordant − discordant pairs) / √(pairs not tied in a · pairs not tied in b)
// (M. Kendall, "The treatment of ties in ranking problems", Biometrika 33, 1945). NaN where all of one list is tied, or a value is NaN.
func KendallTau(a, b []float64) float64 {
	if len(a) != len(b) {
		panic("avss: Kendall's τ of lists of different length")
	}
	var agree, inA, inB float64
	for i := range a {
		for j := range i {
			x, y := sign(a[i], a[j]), sign(b[i], b[j])
			agree += x * y
			inA += x * x
			inB += y * y
		}
	}
	if inA == 0 || inB == 0 {
		return math.NaN()
	}
	return agree / math.Sqrt(inA*inB)
}

func sign(x, y float64) float64 {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	return math.NaN()
}

// Spearman is the correlation of the ranks of two lists of equal length, equal values sharing the mean of their ranks (C. Spearman, "The
// proof and measurement of association between two things", 1904). NaN where all of one list is tied, or a value is NaN.
func Spearman(a, b []float64) float64 {
	if len(a) != len(b) {
		panic("avss: Spearman's correlation of lists of different length")
	}
	x, y := ranks(a), ranks(b)
	mean := float64(len(a)-1) / 2
	var xx, yy, xy float64
	for i := range x {
		xx += (x[i] - mean) * (x[i] - mean)
		yy += (y[i] - mean) * (y[i] - mean)
		xy += (x[i] - mean) * (y[i] - mean)
	}
	return xy / math.Sqrt(xx*yy)
}

func ranks(values []float64) []float64 {
	out := make([]float64, len(values))
	order := all(len(values))
	sort.Slice(order, func(i, j int) bool { return values[order[i]] < values[order[j]] })
	for i := 0; i < len(order); {
		end := i + 1
		for end < len(order) && values[order[end]] == values[order[i]] {
			end++
		}
		for _, at := range order[i:end] {
			if out[at] = float64(i+end-1) / 2; math.IsNaN(values[at]) {
				out[at] = math.NaN()
			}
		}
		i = end
	}
	return out
}
