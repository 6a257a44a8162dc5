package avss

// How far scores can be believed: Kendall's τ between the scores of two halves of the sequences, and bootstrap intervals. Both come from the
// sums per bucket that the state keeps. B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 6 and 13 (percentile
// interval); buckets are drawn whole, so that sequences that lie 32 apart stay together, and where there are at most 32 sequences each
// bucket is one of them.

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"sort"
)

const defaultResamples = 1000

// stability fills Tau, Low and High. values gives the scores for any weights of the buckets; occupied are the buckets that hold sequences.
func (s *Scores) stability(o Options, occupied []int, values func(*weights) []float64) {
	s.Tau = Value(math.NaN())
	var even, odd weights
	var evens, odds int
	for _, b := range occupied {
		if b%2 == 0 {
			even[b], evens = 1, evens+1
		} else {
			odd[b], odds = 1, odds+1
		}
	}
	if evens > 0 && odds > 0 {
		s.Tau = Value(KendallTau(values(&even), values(&odd)))
	}
	resamples := o.Resamples
	if resamples == 0 {
		resamples = defaultResamples
	}
	if len(occupied) < 2 || resamples < 0 {
		return
	}
	source := rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15)
	drawn := make([][]float64, len(s.Values))
	for range resamples {
		var w weights
		for range occupied {
			w[occupied[below(source, len(occupied))]]++
		}
		scores := values(&w)
		if o.Drawn != nil {
			o.Drawn(s.Key(), scores)
		}
		for l, v := range scores {
			drawn[l] = append(drawn[l], v)
		}
	}
	s.Low, s.High = make(Values, len(drawn)), make(Values, len(drawn))
	for l := range drawn {
		sort.Float64s(drawn[l])
		s.Low[l] = drawn[l][int(0.025*float64(resamples-1)+0.5)]
		s.High[l] = drawn[l][int(0.975*float64(resamples-1)+0.5)]
	}
}

// below draws a number from 0 to n−1 (D. Lemire, "Fast random integer generation in an interval", 2019, without its rejection: the bias is
// below n/2^64). Written out so that a seed means the same in every version of Go.
func below(source *rand.PCG, n int) int {
	high, _ := bits.Mul64(source.Uint64(), uint64(n))
	return int(high)
}
