package gguf

import (
	"encoding/binary"
	"math"
)

// The inverses of block_simple.go. The scale is given by the values furthest out, the codes are the nearest: each step is rounded to float32
// as PyPI gguf rounds it, so the blocks are the same. A scale that a half does not hold apart from zero makes a block of zeros.

// inverse returns 1/scale; 0 for a scale that has none.
func inverse(scale float32) float32 {
	if inverse := 1 / scale; scale != 0 && !math.IsInf(float64(inverse), 0) {
		return inverse
	}
	return 0
}

// toQ8_0: scale = the largest magnitude / 127; halves are rounded away from zero.
func toQ8_0(dst []byte, src []float32) bool {
	largest := float32(0)
	for _, value := range src {
		largest = max(largest, max(value, -value))
	}
	scale := largest / 127
	turns := inverse(scale)
	for i, value := range src {
		dst[2+i] = byte(int8(math.Round(float64(value * turns))))
	}
	return putHalf(dst, scale)
}

// outermost returns the first of the values that are furthest from zero.
func outermost(src []float32) float32 {
	var found, largest float32
	found = src[0]
	for _, value := range src {
		if magnitude := max(value, -value); magnitude > largest {
			found, largest = value, magnitude
		}
	}
	return found
}

// signedCode returns the code nearest to value, of those whose middle stands for zero; below is 0 for the first code.
func signedCode(value, turns, middle float32, last int) byte {
	return byte(min(max(int(float32(value*turns)+middle+0.5), 0), last))
}

// toQ4_0: the value furthest out becomes code 0, at −8 times the scale.
func toQ4_0(dst []byte, src []float32) bool {
	scale := outermost(src) / -8
	turns := inverse(scale)
	for i := range 16 {
		dst[2+i] = signedCode(src[i], turns, 8, 15) | signedCode(src[i+16], turns, 8, 15)<<4
	}
	return putHalf(dst, scale)
}

// toQ5_0: the value furthest out becomes code 0, at −16 times the scale.
func toQ5_0(dst []byte, src []float32) bool {
	scale := outermost(src) / -16
	turns := inverse(scale)
	fifth := uint32(0)
	for i := range 16 {
		low, high := signedCode(src[i], turns, 16, 31), signedCode(src[i+16], turns, 16, 31)
		dst[6+i] = low&15 | high<<4
		fifth |= uint32(low>>4)<<i | uint32(high>>4)<<(i+16)
	}
	binary.LittleEndian.PutUint32(dst[2:], fifth)
	return putHalf(dst, scale)
}

// spread returns the least value and the scale at which last codes reach from it to the largest.
func spread(src []float32, last float32) (minimum, scale float32) {
	minimum, maximum := src[0], src[0]
	for _, value := range src {
		minimum, maximum = min(minimum, value), max(maximum, value)
	}
	return minimum, (maximum - minimum) / last
}

// code returns the code nearest to value, of those that begin at minimum.
func code(value, minimum, turns float32, last int) byte {
	return byte(min(int(float32((value-minimum)*turns)+0.5), last))
}

// toQ4_1: code 0 is the least value, code 15 the largest.
func toQ4_1(dst []byte, src []float32) bool {
	minimum, scale := spread(src, 15)
	turns := inverse(scale)
	for i := range 16 {
		dst[4+i] = code(src[i], minimum, turns, 15) | code(src[i+16], minimum, turns, 15)<<4
	}
	return putHalf(dst, scale) && putHalf(dst[2:], minimum)
}

// toQ5_1: code 0 is the least value, code 31 the largest.
func toQ5_1(dst []byte, src []float32) bool {
	minimum, scale := spread(src, 31)
	turns := inverse(scale)
	fifth := uint32(0)
	for i := range 16 {
		low, high := code(src[i], minimum, turns, 31), code(src[i+16], minimum, turns, 31)
		dst[8+i] = low&15 | high<<4
		fifth |= uint32(low>>4)<<i | uint32(high>>4)<<(i+16)
	}
	binary.LittleEndian.PutUint32(dst[4:], fifth)
	return putHalf(dst, scale) && putHalf(dst[2:], minimum)
}
