package bench

import (
	"math"
	"math/bits"

	"gonum.org/v1/gonum/mathext/prng"
)

// pyRandom draws what Python's random.Random draws: examples in front of a question are then the peer's own.
type pyRandom struct{ twister *prng.MT19937 }

// newPyRandom seeds as random.Random(seed) does: by the key whose words are the seed's.
func newPyRandom(seed uint32) *pyRandom {
	r := &pyRandom{prng.NewMT19937()}
	r.twister.SeedFromKeys([]uint32{seed})
	return r
}

// below is _randbelow: as many bits as n has, again and again until they are less.
func (r *pyRandom) below(n int) int {
	shift := 32 - bits.Len32(uint32(n))
	for {
		if v := int(r.twister.Uint32() >> shift); v < n {
			return v
		}
	}
}

// sample is random.sample(range(n), k): from a pool that shrinks where it is small beside the sample, else by drawing until one is new.
func (r *pyRandom) sample(n, k int) []int {
	drawn := make([]int, 0, k)
	small := 21.0
	if k > 5 {
		small += math.Pow(4, math.Ceil(math.Log(float64(3*k))/math.Log(4)))
	}
	if float64(n) <= small {
		pool := make([]int, n)
		for i := range pool {
			pool[i] = i
		}
		for i := range k {
			at := r.below(n - i)
			drawn = append(drawn, pool[at])
			pool[at] = pool[n-i-1]
		}
		return drawn
	}
	seen := map[int]bool{}
	for range k {
		at := r.below(n)
		for seen[at] {
			at = r.below(n)
		}
		seen[at] = true
		drawn = append(drawn, at)
	}
	return drawn
}
