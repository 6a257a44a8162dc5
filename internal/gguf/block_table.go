package gguf

import (
	"encoding/binary"
	"math"
)

// Blocks whose four-bit codes are places in a table of 16 numbers; of each 16 bytes of codes, byte i holds value i in its low and value
// i+16 in its high four bits.

// iq4Codes are the numbers of IQ4_NL and IQ4_XS: the 16 that serve weights best which are spread as a trained layer's are (ggml-common.h,
// kvalues_iq4nl).
var iq4Codes = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// iq4NL: scale (half), 16 bytes of codes; value = scale × number.
func iq4NL(dst []float32, src []byte) {
	looked(dst, src[2:18], half(src), &iq4Codes)
}

// iq4XS: scale of the block (half), 16 bits with the high two bits of 8 group scales, 4 bytes with their low four, 128 bytes of codes.
// value = scale × (six bits − 32) × number, in groups of 32.
func iq4XS(dst []float32, src []byte) {
	scale, high, low, codes := half(src), binary.LittleEndian.Uint16(src[2:]), src[4:8], src[8:136]
	for group := range 8 {
		six := int(low[group/2]>>(group%2*4)&15) | int(high>>(2*group)&3)<<4
		looked(dst[group*32:], codes[group*16:][:16], scale*float32(six-32), &iq4Codes)
	}
}

// looked writes 32 values, scale × number.
func looked(dst []float32, codes []byte, scale float32, numbers *[16]float32) {
	for i, pair := range codes {
		dst[i] = scale * numbers[pair&15]
		dst[i+16] = scale * numbers[pair>>4]
	}
}

// mxfp4Codes are the values of four bits E2M1 (sign, two of exponent, one of fraction), doubled (OCP Microscaling Formats, version 1.0,
// section 5.3.3). The format's library has no −0.
var mxfp4Codes = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// mxfp4: the scale's exponent (a byte; the scale is half of 2^(exponent − 127), because codes are doubled), 16 bytes of codes.
func mxfp4(dst []float32, src []byte) {
	bits := uint32(0x200000) << (src[0] & 1) // 2^-128 and 2^-127 are subnormal
	if src[0] > 1 {
		bits = uint32(src[0]-1) << 23
	}
	scale := math.Float32frombits(bits)
	looked(dst, src[1:17], scale, &mxfp4Codes)
}
