package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Quantise is the inverse of Dequantise: it writes len(src) values as whole blocks of the type to dst, which has room for exactly them.
// F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0 and Q5_1 are what PyPI gguf makes of the values, bit for bit; it makes none of the K types, so theirs
// are found by a search for the least squared error (quantise_minimum.go, quantise_signed.go). With no values it only says whether the type
// can be written. A value that is no finite number, or that needs a scale beyond what a half holds, is an error.
func Quantise(dst []byte, kind Type, src []float32) error {
	elements, bytes := kind.Block()
	block, ok := quantisers[kind]
	if !ok {
		return fmt.Errorf("gguf: %s cannot be quantised; known are F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K", kind)
	}
	if len(src)%elements != 0 || len(dst)%bytes != 0 || len(dst)/bytes != len(src)/elements {
		return fmt.Errorf("gguf: %s: %d bytes for %d values, want %d bytes for each %d", kind, len(dst), len(src), bytes, elements)
	}
	for i, value := range src {
		if math.IsNaN(float64(value)) || math.IsInf(float64(value), 0) {
			return fmt.Errorf("gguf: %s: value %d is %g, want a finite number", kind, i, value)
		}
	}
	for i := 0; len(src) > 0; i += elements {
		if !block(dst[:bytes], src[:elements]) {
			return fmt.Errorf("gguf: %s: values %d to %d: too large for a scale in half precision", kind, i, i+elements-1)
		}
		dst, src = dst[bytes:], src[elements:]
	}
	return nil
}

// quantisers holds the function that writes one block of each type. It returns false where a half would be infinite.
var quantisers = map[Type]func(dst []byte, src []float32) bool{
	F32: toF32, F16: toF16, BF16: toBF16,
	Q4_0: toQ4_0, Q4_1: toQ4_1, Q5_0: toQ5_0, Q5_1: toQ5_1, Q8_0: toQ8_0,
	Q2_K: toQ2K, Q3_K: toQ3K, Q4_K: toQ4K, Q5_K: toQ5K, Q6_K: toQ6K,
}

func toF32(dst []byte, src []float32) bool {
	binary.LittleEndian.PutUint32(dst, math.Float32bits(src[0]))
	return true
}

func toF16(dst []byte, src []float32) bool { return putHalf(dst, src[0]) }

// toBF16 rounds to the nearest, ties to even; the largest values become infinite, as in the format's library.
func toBF16(dst []byte, src []float32) bool {
	bits := math.Float32bits(src[0])
	binary.LittleEndian.PutUint16(dst, uint16((uint64(bits)+0x7fff+uint64(bits>>16&1))>>16))
	return true
}

// putHalf writes the IEEE 754 binary16 nearest to a value, ties to even, and returns false if that is infinite.
func putHalf(dst []byte, value float32) bool {
	bits := math.Float32bits(value)
	sign, exponent, fraction := uint16(bits>>16&0x8000), int(bits>>23&255)-127, bits&0x7fffff
	var magnitude uint32
	switch {
	case exponent >= -14: // normal: 13 bits of the fraction go
		magnitude = nearest(uint32(exponent+15)<<23|fraction, 13)
	case exponent >= -25: // subnormal: a multiple of 2^-24
		magnitude = nearest(1<<23|fraction, uint(-1-exponent))
	}
	finite := magnitude < 0x7c00
	binary.LittleEndian.PutUint16(dst, sign|uint16(min(magnitude, 0x7c00)))
	return finite
}

// nearest shifts bits out, rounding to the nearest, ties to even.
func nearest(bits uint32, shift uint) uint32 {
	half := uint32(1)<<(shift-1) - 1
	return (bits + half + bits>>shift&1) >> shift
}
