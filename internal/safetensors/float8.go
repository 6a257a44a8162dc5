package safetensors

import (
	"fmt"
	"math"
)

// Eight-bit floating point as models store it ("FP8 Formats for Deep Learning", arXiv 2209.05433, table 1): every code is a float32.
//
//	F8_E4M3   sign, 4 bits of exponent (bias 7), 3 of fraction; no infinity, so that exponent 15 has numbers up to 448; ±1111.111 is no number
//	F8_E5M2   sign, 5 bits of exponent (bias 15), 2 of fraction; infinities and no numbers as in IEEE 754
var (
	e4m3 = float8Table(3, 7, func(code int) bool { return code&127 == 127 })
	e5m2 = float8Table(2, 15, func(code int) bool { return code>>2&31 == 31 })
)

// float8Table returns the values of all codes: their bits, moved to where float32 has them, are the value times 2^(bias - 127), subnormals
// too. special tells the codes for which float32 has its largest exponent.
func float8Table(fractionBits, bias int, special func(code int) bool) (table [256]float32) {
	for code := range table {
		sign, rest := uint32(code)>>7<<31, uint32(code&127)<<(23-fractionBits)
		if special(code) {
			table[code] = math.Float32frombits(sign | 0x7f800000 | rest&0x7fffff)
			continue
		}
		scale := math.Float32frombits(uint32(127+127-bias) << 23)
		table[code] = math.Float32frombits(sign | math.Float32bits(math.Float32frombits(rest)*scale))
	}
	return table
}

// DecodeFloat8 writes the values of src, codes of dtype F8_E4M3 or F8_E5M2, to dst, exactly. dst has as many.
func DecodeFloat8(dst []float32, dtype string, src []byte) error {
	var table *[256]float32
	switch dtype {
	case "F8_E4M3":
		table = &e4m3
	case "F8_E5M2":
		table = &e5m2
	default:
		return fmt.Errorf("safetensors: dtype %.80q is decoded nowhere here, want F8_E4M3 or F8_E5M2", dtype)
	}
	if len(dst) != len(src) {
		return fmt.Errorf("safetensors: %s: %d codes for %d values", dtype, len(src), len(dst))
	}
	for i, code := range src {
		dst[i] = table[code]
	}
	return nil
}
