package gguf

// Blocks of 256 values in 8 or 16 groups with scales of their own, which are small integers times one scale of the block (halves). The
// low bits of the codes lie in stripes: 32 bytes serve two (4-bit) or four (2-bit) groups of 32 values, one after the other from the low
// bits up, so that byte i of a stripe belongs to value i of each of its groups.

// q2K: 16 bytes (low four bits: scale of a group of 16, high four: its minimum), 64 bytes of 2-bit codes, scale and minimum of the block.
func q2K(dst []float32, src []byte) {
	scales, codes := src[:16], src[16:80]
	scale, minimum := half(src[80:]), half(src[82:])
	for group, packed := range scales {
		groupScale, groupMinimum := scale*float32(packed&15), minimum*float32(packed>>4)
		stripe, shift := codes[group/8*32+group%2*16:], group/2%4*2
		for i, out := 0, dst[group*16:][:16]; i < 16; i++ {
			out[i] = float32(groupScale*float32(stripe[i]>>shift&3)) - groupMinimum
		}
	}
}

// q3K: 32 bytes of third bits (bit g of byte i: value i of group of 32 number g; set means nothing to subtract), 64 bytes of 2-bit codes,
// 12 bytes with 16 six-bit scales, scale of the block. value = scale × (six bits − 32) × (code − 4 where the third bit is clear).
func q3K(dst []float32, src []byte) {
	third, codes, packed, scale := src[:32], src[32:96], src[96:108], half(src[108:])
	for group := range 16 {
		low := packed[group%8] >> (group / 8 * 4) & 15
		high := packed[8+group%4] >> (group / 4 * 2) & 3
		groupScale := scale * float32(int(low|high<<4)-32)
		stripe, shift := codes[group/8*32+group%2*16:], group/2%4*2
		bits := third[group%2*16:]
		for i, out := 0, dst[group*16:][:16]; i < 16; i++ {
			code := int(stripe[i] >> shift & 3)
			if bits[i]>>(group/2)&1 == 0 {
				code -= 4
			}
			out[i] = groupScale * float32(code)
		}
	}
}

// sixBits returns scale and minimum number group of the 8 that Q4_K and Q5_K keep in 12 bytes: the first four of each in the low six bits
// of bytes 0–3 and 4–7; of the last four, the low four bits in bytes 8–11 and the high two above those of the first four.
func sixBits(packed []byte, group int) (scale, minimum byte) {
	if group < 4 {
		return packed[group] & 63, packed[group+4] & 63
	}
	return packed[group+4]&15 | packed[group-4]>>6<<4, packed[group+4]>>4 | packed[group]>>6<<4
}

// q4K: scale and minimum of the block, 12 bytes of six-bit scales and minima of 8 groups, 128 bytes of 4-bit codes.
func q4K(dst []float32, src []byte) {
	scale, minimum, packed, codes := half(src), half(src[2:]), src[4:16], src[16:144]
	for group := range 8 {
		s, m := sixBits(packed, group)
		groupScale, groupMinimum := scale*float32(s), minimum*float32(m)
		stripe, shift := codes[group/2*32:], group%2*4
		for i, out := 0, dst[group*32:][:32]; i < 32; i++ {
			out[i] = float32(groupScale*float32(stripe[i]>>shift&15)) - groupMinimum
		}
	}
}

// q5K: as q4K, with 32 bytes of fifth bits (bit g of byte i: value i of group g) before the codes.
func q5K(dst []float32, src []byte) {
	scale, minimum, packed, fifth, codes := half(src), half(src[2:]), src[4:16], src[16:48], src[48:176]
	for group := range 8 {
		s, m := sixBits(packed, group)
		groupScale, groupMinimum := scale*float32(s), minimum*float32(m)
		stripe, shift := codes[group/2*32:], group%2*4
		for i, out := 0, dst[group*32:][:32]; i < 32; i++ {
			code := stripe[i]>>shift&15 | fifth[i]>>group&1<<4
			out[i] = float32(groupScale*float32(code)) - groupMinimum
		}
	}
}

// q6K: 128 bytes of low four bits (a stripe of 64 serves two groups of 64 values), 64 bytes of high two bits (a stripe of 32 serves four
// groups of 32), 16 signed bytes of scales of groups of 16, scale of the block. value = scale × group scale × (code − 32).
func q6K(dst []float32, src []byte) {
	low, high, scales, scale := src[:128], src[128:192], src[192:208], half(src[208:])
	for group := range 16 {
		groupScale := scale * float32(int8(scales[group]))
		four, fourShift := low[group/8*64+group%4*16:], group/4%2*4
		two, twoShift := high[group/8*32+group%2*16:], group/2%4*2
		for i, out := 0, dst[group*16:][:16]; i < 16; i++ {
			code := int(four[i]>>fourShift&15|two[i]>>twoShift&3<<4) - 32
			out[i] = groupScale * float32(code)
		}
	}
}
