package devicetest

import (
	"math"

	"avssnative/engine/device"
)

// How far a device's result may lie from that of "reference".
//
// Rounding a value to float32 moves it by at most u = 2⁻²⁴ of itself. A sum of n terms computed in float32 in any order is off by at most
// n·u·Σ|terms|; as roundings are as good as independent, λ·√n·u·Σ|terms| holds with a probability that λ soon makes certain (Higham and
// Mary, "A new approach to probabilistic rounding error analysis", 2019). λ = 2 and four more roundings for what surrounds the sum make
// `sum`. The bound is tight enough to see a single term that was left out: that is worth 1/n of Σ|terms|, more than (4 + 2·√n)·u for all n
// that occur.
//
// With bf16 operands each operand is off by 2⁻⁹ of itself, which no order of summing can help. These errors are independent too: the sum
// of n products is off by about 2⁻⁹·√2·√Σ(x·w)², which for vectors without outliers is 2⁻⁹·√2·‖x‖·‖w‖/√n, times λ
// = 4.
//
// Where results pass through functions, the derivative multiplies; the cases say so.
type precision struct {
	operand float64 // relative error of a product's operand beyond float32
}

const (
	u = 0x1p-24
	// least is what a device may lose by taking numbers below the smallest normal one for zero.
	least = 0x1p-126
)

func precisionOf(c device.Compute) precision {
	if c == device.ComputeBF16 {
		return precision{operand: 0x1p-9}
	}
	return precision{}
}

// sum is the error of a sum of n terms, relative to Σ|terms|.
func sum(n int) float64 { return u * (4 + 2*math.Sqrt(float64(n))) }

// product is the error of a dot product of n terms of vectors of these lengths.
func (p precision) product(n int, x, w float64) float64 {
	return (sum(n)+4*math.Sqrt2*p.operand/math.Sqrt(float64(max(n, 1))))*x*w + float64(n)*least
}

// exact is the tolerance of operations that must not round.
func exact(precision, int, int, float64) float64 { return 0 }

// length is ‖x‖.
func length[T float32 | float64](x []T) float64 {
	squares := 0.0
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	return math.Sqrt(squares)
}

// perUnit remembers what f gave for a unit.
func perUnit[T any](f func(unit int) T) func(unit int) T {
	known := map[int]T{}
	return func(unit int) T {
		v, found := known[unit]
		if !found {
			v = f(unit)
			known[unit] = v
		}
		return v
	}
}
