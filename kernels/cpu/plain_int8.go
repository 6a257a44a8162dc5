package cpu

import (
	"math"
	"unsafe"
)

// Products by integers in plain Go: activations in blocks of 32 of 8-bit whole numbers (quantise.c says how), weights as they are decoded.

// quantisedGroup is 256 quantised activations, as internal.h has them.
type quantisedGroup struct {
	code               [256]int8
	less               [64]int32
	scale, sum         [8]float32
	halfScale, halfSum [16]float32
}

// int8Scale is the scale of a block of activations: its largest magnitude over 127, zero below the smallest normal float32; no number where a
// value is infinite or no number.
func int8Scale(x []float32) float32 {
	largest := float32(0)
	for _, v := range x {
		if v-v != 0 {
			return float32(math.NaN())
		}
		largest = max(largest, v, -v)
	}
	if scale := largest / 127; scale >= 0x1p-126 {
		return scale
	}
	return 0
}

// int8Codes are a block's values as the nearest multiples of its scale, ties to even.
func int8Codes(codes []int8, x []float32, scale float32) {
	clear(codes)
	if scale > 0 {
		inverse := 1 / scale
		for i, v := range x {
			codes[i] = int8(math.RoundToEven(float64(float32(v * inverse))))
		}
	}
}

// roundInt8 rounds a row to what its codes and scales stand for.
func roundInt8(x []float32) {
	var codes [32]int8
	for ; len(x) > 0; x = x[32:] {
		scale := int8Scale(x[:32])
		int8Codes(codes[:], x[:32], scale)
		for i, c := range codes {
			x[i] = scale * float32(c)
		}
	}
}

// groups are the quantised groups of a row.
func groups(quantised unsafe.Pointer, row, cols int64) []quantisedGroup {
	n := (cols + 255) / 256
	return unsafe.Slice((*quantisedGroup)(unsafe.Add(quantised, row*n*QuantisedBytes)), n)
}

func (a *QuantiseArguments) quantise(_ unsafe.Pointer, from, to int64) {
	for row := from; row < to; row++ {
		x, of := a.X.row(row), groups(a.Quantised, row, a.X.Cols)
		clear(of)
		for b := 0; 32*b < len(x); b++ {
			g, at, block := &of[b/8], b%8, x[32*b:32*b+32]
			codes := g.code[32*at : 32*at+32]
			g.scale[at] = int8Scale(block)
			int8Codes(codes, block, g.scale[at])
			var sums [2]int32
			for i, c := range codes {
				g.less[8*at+i/4] -= int32(c)
				sums[i/16] += int32(c)
			}
			g.sum[at] = g.scale[at] * float32(sums[0]+sums[1])
			for half, sum := range sums {
				g.halfScale[2*at+half], g.halfSum[2*at+half] = g.scale[at], g.scale[at]*float32(sum)
			}
		}
	}
}

// multiplyFewInt8 is a product of few quantised rows, an output at a time.
func (a *FewArguments) multiplyFewInt8(_ unsafe.Pointer, from, to int64) {
	weight, bias := make([]float32, a.W.In), slice[float32](a.Bias, a.W.Out)
	for n := from; n < to; n++ {
		a.W.output(weight, n)
		for row := range a.X.Rows {
			sum := 0.0
			of := groups(a.Quantised, row, a.X.Cols)
			for k, w := range weight {
				g := &of[k/256]
				sum += float64(g.scale[k%256/32]) * float64(g.code[k%256]) * float64(w)
			}
			if bias != nil {
				sum += float64(bias[n])
			}
			a.Dst.row(row)[n] = float32(sum)
		}
	}
}
