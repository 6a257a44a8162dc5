package gguf

import "encoding/binary"

// Blocks of 32 values with one scale. In the 4- and 5-bit ones, byte i of the codes holds value i in its low and value i+16 in its high
// four bits; the fifth bits are one 32-bit word, bit i for value i.

// q4_0: scale (half), 16 bytes of codes; value = scale × (code − 8).
func q4_0(dst []float32, src []byte) {
	scale := half(src)
	for i, codes := range src[2:18] {
		dst[i] = scale * float32(int(codes&15)-8)
		dst[i+16] = scale * float32(int(codes>>4)-8)
	}
}

// q4_1: scale, minimum (halves), 16 bytes of codes; value = scale × code + minimum.
func q4_1(dst []float32, src []byte) {
	scale, minimum := half(src), half(src[2:])
	for i, codes := range src[4:20] {
		dst[i] = float32(scale*float32(codes&15)) + minimum
		dst[i+16] = float32(scale*float32(codes>>4)) + minimum
	}
}

// q5_0: scale (half), fifth bits (32), 16 bytes of codes; value = scale × (code − 16).
func q5_0(dst []float32, src []byte) {
	scale, fifth := half(src), binary.LittleEndian.Uint32(src[2:])
	for i, codes := range src[6:22] {
		dst[i] = scale * float32(int(uint32(codes&15)|fifth>>i&1<<4)-16)
		dst[i+16] = scale * float32(int(uint32(codes>>4)|fifth>>(i+16)&1<<4)-16)
	}
}

// q5_1: scale, minimum (halves), fifth bits (32), 16 bytes of codes; value = scale × code + minimum.
func q5_1(dst []float32, src []byte) {
	scale, minimum, fifth := half(src), half(src[2:]), binary.LittleEndian.Uint32(src[4:])
	for i, codes := range src[8:24] {
		dst[i] = float32(scale*float32(uint32(codes&15)|fifth>>i&1<<4)) + minimum
		dst[i+16] = float32(scale*float32(uint32(codes>>4)|fifth>>(i+16)&1<<4)) + minimum
	}
}

// q8_0: scale (half), 32 signed bytes; value = scale × code.
func q8_0(dst []float32, src []byte) {
	scale := half(src)
	for i, code := range src[2:34] {
		dst[i] = scale * float32(int8(code))
	}
}
