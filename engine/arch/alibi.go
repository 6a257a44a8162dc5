package arch

import "math"

// ALiBi (arXiv 2108.12409, section 3) lowers a score by a slope for every token of distance; each head has its own slope.

// alibiSlopes are the slopes of Press et al.: a geometric sequence from 2^(−8/n); where heads is no power of two, every other slope of
// twice as many heads follows those of the power of two below.
func alibiSlopes(heads int) []float32 {
	power := 1
	for 2*power <= heads {
		power *= 2
	}
	slopes := make([]float32, heads)
	for i := range slopes {
		if i < power {
			slopes[i] = float32(math.Exp2(-8 * float64(i+1) / float64(power)))
		} else {
			slopes[i] = float32(math.Exp2(-8 * float64(2*(i-power)+1) / float64(2*power)))
		}
	}
	return slopes
}

// alibiSlopesMPT are MPT's: those of the power of two at or above heads, steepest 2^(−steepest/n); where heads is no power of two, every
// other one first.
func alibiSlopesMPT(heads int, steepest float64) []float32 {
	power := 1
	for power < heads {
		power *= 2
	}
	slope := func(i int) float32 { return float32(math.Exp2(-steepest * float64(i+1) / float64(power))) }
	slopes := make([]float32, heads)
	for i := range slopes {
		switch {
		case power == heads:
			slopes[i] = slope(i)
		case 2*i+1 < power:
			slopes[i] = slope(2*i + 1)
		default:
			slopes[i] = slope(2*i - power)
		}
	}
	return slopes
}

// roundBF16 rounds to the nearest bfloat16, ties to even.
func roundBF16(x float32) float32 {
	bits := math.Float32bits(x)
	return math.Float32frombits((bits + 0x7fff + bits>>16&1) &^ 0xffff)
}
