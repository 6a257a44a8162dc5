package device

import "math"

// Products by integers (ComputeInt8): where a weight is stored in blocks of whole numbers with common factors, the activations that it meets are
// rounded to blocks of whole numbers too, and their products are summed as integers, exactly, before the factors come to them. Here is what is
// rounded how; devices have it as fast as they can.

// Int8Block is how many neighbouring activations have one scale.
const Int8Block = 32

// Integers says whether products with weights of the type are sums of integers where a device computes in int8: all block types whose values are a
// factor times a whole number, perhaps plus an offset.
func (t DType) Integers() bool {
	switch t {
	case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K:
		return true
	}
	return false
}

// RoundInt8 rounds a row of activations, whole blocks, as int8 products take them: a block's scale is its largest magnitude over 127, and a value
// becomes the nearest whole multiple of it, ties to even, all in float32. A scale below the smallest normal float32 makes the block zero; a value
// that is infinite or no number makes the block no numbers.
func RoundInt8(x []float64) {
	for len(x) > 0 {
		roundBlock(x[:Int8Block])
		x = x[Int8Block:]
	}
}

func roundBlock(x []float64) {
	largest, spoiled := float32(0), false
	for _, v := range x {
		v := float32(v)
		largest = max(largest, v, -v)
		spoiled = spoiled || v-v != 0
	}
	scale := largest / 127
	for i, v := range x {
		switch {
		case spoiled:
			x[i] = math.NaN()
		case scale < 0x1p-126:
			x[i] = 0
		default:
			x[i] = float64(scale) * math.RoundToEven(float64(float32(v)*(1/scale)))
		}
	}
}
