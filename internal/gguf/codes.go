package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The codes of an encoded block, apart from its scales: who rounds values in an order of his own, as error feedback does, takes the scales that
// Quantise finds and chooses the codes himself.

// CodeRange is the least and the largest code of a type; ok is false for types without codes.
func CodeRange(kind Type) (first, last int, ok bool) {
	r, ok := codeRanges[kind]
	return r[0], r[1], ok
}

var codeRanges = map[Type][2]int{
	Q4_0: {-8, 7}, Q4_1: {0, 15}, Q5_0: {-16, 15}, Q5_1: {0, 31}, Q8_0: {-127, 127},
	Q2_K: {0, 3}, Q3_K: {-4, 3}, Q4_K: {0, 15}, Q5_K: {0, 31}, Q6_K: {-32, 31},
}

// PutCodes replaces the codes of a block, one a value, and leaves its scales as they are.
func PutCodes(block []byte, kind Type, codes []int) error {
	elements, size := kind.Block()
	first, last, ok := CodeRange(kind)
	if !ok {
		return fmt.Errorf("gguf: %s has no codes", kind)
	}
	if len(codes) != elements || len(block) != size {
		return fmt.Errorf("gguf: %s: %d codes and %d bytes, want %d and %d", kind, len(codes), len(block), elements, size)
	}
	for i, c := range codes {
		if c < first || c > last {
			return fmt.Errorf("gguf: %s: code %d is %d, want %d to %d", kind, i, c, first, last)
		}
	}
	switch kind {
	case Q4_0, Q4_1:
		putNibbles(block[len(block)-16:], codes, -min(first, 0))
	case Q5_0, Q5_1:
		putFives(block[len(block)-20:], codes, -min(first, 0))
	case Q8_0:
		for i, c := range codes {
			block[2+i] = byte(int8(c))
		}
	case Q2_K:
		putTwos(block[16:80], codes)
	case Q3_K:
		putThrees(block[:32], block[32:96], codes)
	case Q4_K:
		putFourBits(block[16:144], codes)
	case Q5_K:
		putFifthBits(block[16:48], codes)
		putFourBits(block[48:176], codes)
	case Q6_K:
		putSixes(block[:128], block[128:192], codes)
	}
	return nil
}

func putNibbles(dst []byte, codes []int, zero int) {
	for i := range dst {
		dst[i] = byte(codes[i]+zero) | byte(codes[i+16]+zero)<<4
	}
}

func putFives(dst []byte, codes []int, zero int) {
	fifth := uint32(0)
	for i := range 16 {
		low, high := codes[i]+zero, codes[i+16]+zero
		dst[4+i] = byte(low)&15 | byte(high)<<4
		fifth |= uint32(low>>4)<<i | uint32(high>>4)<<(i+16)
	}
	binary.LittleEndian.PutUint32(dst, fifth)
}

// number is what codes are kept as.
type number interface{ byte | int }

// putTwos writes 256 codes of two bits: each byte serves four groups.
func putTwos[C number](dst []byte, codes []C) {
	clear(dst)
	for group := range 16 {
		stripe, shift := dst[group/8*32+group%2*16:], group/2%4*2
		for i, c := range codes[group*16:][:16] {
			stripe[i] |= byte(c) << shift
		}
	}
}

// putThrees writes 256 codes of three bits, the third ones apart.
func putThrees(third, dst []byte, codes []int) {
	clear(third)
	clear(dst)
	for group := range 16 {
		stripe, shift := dst[group/8*32+group%2*16:], group/2%4*2
		bits := third[group%2*16:]
		for i, c := range codes[group*16:][:16] {
			c += 4
			stripe[i] |= byte(c) & 3 << shift
			bits[i] |= byte(c) >> 2 << (group / 2)
		}
	}
}

// putFourBits writes the low four bits of 256 codes: 32 bytes serve two groups of 32.
func putFourBits[C number](dst []byte, codes []C) {
	for i := range dst {
		low := i/32*64 + i%32
		dst[i] = byte(codes[low])&15 | byte(codes[low+32])<<4
	}
}

// putFifthBits writes the fifth bits of 256 codes: bit g of a byte serves group g of 32.
func putFifthBits[C number](dst []byte, codes []C) {
	clear(dst)
	for i, c := range codes {
		dst[i%32] |= byte(c) >> 4 << (i / 32)
	}
}

// putSixes writes 256 codes of six bits, the highest two apart.
func putSixes(low, high []byte, codes []int) {
	clear(low)
	clear(high)
	for group := range 16 {
		four, fourShift := low[group/8*64+group%4*16:], group/4%2*4
		two, twoShift := high[group/8*32+group%2*16:], group/2%4*2
		for i, c := range codes[group*16:][:16] {
			c += 32
			four[i] |= byte(c) & 15 << fourShift
			two[i] |= byte(c) >> 4 << twoShift
		}
	}
}

// Grid is which values the codes of a block can say, one after the other: value i is nearest by Nearest.
type Grid struct {
	kind        Type
	first, last int
	low, step   []float64 // of each value
}

// GridOf reads the grid of an encoded block.
func GridOf(block []byte, kind Type) (*Grid, error) {
	elements, _ := kind.Block()
	first, last, ok := CodeRange(kind)
	if !ok {
		return nil, fmt.Errorf("gguf: %s has no codes", kind)
	}
	g := &Grid{kind: kind, first: first, last: last, low: make([]float64, elements), step: make([]float64, elements)}
	at, codes, values := append([]byte(nil), block...), make([]int, elements), make([]float32, elements)
	for _, code := range [2]int{first, last} {
		for i := range codes {
			codes[i] = code
		}
		if err := PutCodes(at, kind, codes); err != nil {
			return nil, err
		}
		if err := Dequantise(values, kind, at); err != nil {
			return nil, err
		}
		for i, v := range values {
			if code == first {
				g.low[i] = float64(v)
			} else {
				g.step[i] = (float64(v) - g.low[i]) / float64(last-first)
			}
		}
	}
	return g, nil
}

// Nearest is the code of value i that says what is nearest to v, and what it says, up to the last bits of Dequantise.
func (g *Grid) Nearest(i int, v float64) (code int, says float64) {
	if g.step[i] == 0 {
		return g.first, g.low[i]
	}
	c := math.Round((v - g.low[i]) / g.step[i])
	c = min(max(c, 0), float64(g.last-g.first))
	return g.first + int(c), g.low[i] + c*g.step[i]
}
