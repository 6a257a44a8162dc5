package bench

import (
	"math"
	"testing"
)

// The test's p is the binomial tail, summed here term by term; the lower end is the share at which that tail is 5 %.
func TestAgainstChance(t *testing.T) {
	tail := func(right, n int, chance float64) float64 {
		sum := 0.0
		for k := right; k <= n; k++ {
			choose := 1.0
			for i := range k {
				choose *= float64(n-i) / float64(i+1)
			}
			sum += choose * math.Pow(chance, float64(k)) * math.Pow(1-chance, float64(n-k))
		}
		return sum
	}
	for _, c := range []struct {
		right, n int
		chance   float64
		above    bool
	}{{8, 8, 0.5, true}, {4, 4, 0.5, false}, {25, 80, 0.5, false}, {50, 80, 0.5, true}, {47, 80, 0.5, false}, {28, 80, 0.25, true}, {1, 3, 0.25,
		false}} {
		got := AgainstChance(float64(c.right)/float64(c.n), c.n, c.chance)
		if want := tail(c.right, c.n, c.chance); math.Abs(got.P-want) > 1e-12 || got.Above() != c.above {
			t.Errorf("%+v: %+v, want p %v", c, got, want)
		}
		if at := tail(c.right, c.n, got.Low); math.Abs(at-chanceLevel) > 1e-9 || (got.Low > c.chance) != c.above {
			t.Errorf("%+v: %+v: at the lower end the tail is %v", c, got, at)
		}
	}
	for _, nothing := range []Chance{AgainstChance(0, 10, 0.5), AgainstChance(math.NaN(), 10, 0.5), AgainstChance(0.5, 0, 0.5)} {
		if nothing.Above() || nothing.P != 1 || nothing.Low != 0 {
			t.Errorf("%+v", nothing)
		}
	}
}
