package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Dequantise writes the float32 values of whole blocks to dst: src holds len(dst) elements of the type. The values are those of the
// format's own library, bit for bit: the products and sums of each formula are rounded to float32 one by one, never fused.
//
// Every block type is "value = scale × code" or "value = scale × code − minimum", or has codes that are numbers of a table instead
// (IQ4_NL, IQ4_XS, MXFP4); they differ in how many bits a code has, where those bits lie, and how scales are stored. The layouts are in
// block_simple.go, block_k.go and block_table.go, one function a type.
func Dequantise(dst []float32, kind Type, src []byte) error {
	elements, bytes := kind.Block()
	block, ok := blocks[kind]
	if !ok {
		return fmt.Errorf("gguf: %s cannot be dequantised; known are "+
			"F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS MXFP4", kind)
	}
	if len(dst)%elements != 0 || len(src)%bytes != 0 || len(src)/bytes != len(dst)/elements {
		return fmt.Errorf("gguf: %s: %d bytes for %d values, want %d bytes for each %d", kind, len(src), len(dst), bytes, elements)
	}
	if elements == 1 {
		block(dst, src)
		return nil
	}
	for len(dst) > 0 {
		block(dst[:elements], src[:bytes])
		dst, src = dst[elements:], src[bytes:]
	}
	return nil
}

// blocks holds the function that reads one block of each type; any number of elements for the types that have no blocks.
var blocks = map[Type]func(dst []float32, src []byte){
	F32: f32, F16: f16, BF16: bf16,
	Q4_0: q4_0, Q4_1: q4_1, Q5_0: q5_0, Q5_1: q5_1, Q8_0: q8_0,
	Q2_K: q2K, Q3_K: q3K, Q4_K: q4K, Q5_K: q5K, Q6_K: q6K,
	IQ4_NL: iq4NL, IQ4_XS: iq4XS, MXFP4: mxfp4,
}

func f32(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func f16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = half(src[2*i:])
	}
}

func bf16(dst []float32, src []byte) {
	for i := range dst {
		dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16)
	}
}

// half reads an IEEE 754 binary16, little endian.
func half(src []byte) float32 {
	bits := uint32(binary.LittleEndian.Uint16(src))
	sign, exponent, fraction := bits>>15<<31, bits>>10&31, bits&1023
	switch exponent {
	case 0: // zero or subnormal: fraction × 2^-24, exact in float32
		value := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(value))
	case 31: // infinity or not a number
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
