package gguf

import (
	"math"
	"slices"
)

// The inverses of the K blocks with minima (block_k.go): Q2_K, Q4_K, Q5_K. Each group of values has a scale and a minimum of its own, small
// integers times a scale and a minimum of the block. They are found in two steps, both for the least squared error of the values:
//
//  1. by group, as if its scale and minimum could be anything: codes are the nearest at a trial scale, then scale and minimum follow by least
//     squares; some twenty trial scales around the one at which the codes just reach from the least value to the largest (the search of
//     llama.cpp's make_qkx2_quants, there weighted), and the best is repeated until it stands;
//  2. with the block's halves, which the largest scale and minimum give (as the largest integer, or one of the next two): the integers nearest
//     to each, or one beside them.

// trials are the trial scales on each side of the plain one, a tenth of a code apart.
const trials = 10

// fitMinimum returns the scale and minimum of a group: value ≈ scale × code − minimum, code from 0 to last, minimum not negative.
func fitMinimum(src []float32, last int) (scale, minimum float64) {
	least, largest := 0.0, float64(src[0])
	for _, value := range src {
		least, largest = min(least, float64(value)), max(largest, float64(value))
	}
	if largest <= least {
		return 0, -least
	}
	best := math.Inf(1)
	try := func(turns, least float64) bool {
		found, offset, err := solveMinimum(src, turns, least, last)
		if err >= best {
			return false
		}
		best, scale, minimum = err, found, -offset
		return true
	}
	for trial := -trials; trial <= trials; trial++ {
		try((float64(last)+float64(trial)/10)/(largest-least), least)
	}
	for fewer := 2; fewer <= last/4; fewer++ { // what was quantised before need not reach to the last code
		try(float64(last-fewer)/(largest-least), least)
	}
	for range 8 {
		if scale == 0 || !try(1/scale, -minimum) {
			break
		}
	}
	return scale, minimum
}

// solveMinimum gives each value the nearest code, with turns codes a unit from least on, and returns the scale and the offset, at most 0, of
// the least squared error with these codes, and that error.
func solveMinimum(src []float32, turns, least float64, last int) (scale, offset, err float64) {
	var codes, squares, sum, products, norm float64
	for _, value := range src {
		v := float64(value)
		c := float64(min(max(math.Floor(float64((v-least)*turns)+0.5), 0), float64(last)))
		codes += c
		squares += float64(c * c)
		sum += v
		products += float64(v * c)
		norm += float64(v * v)
	}
	count := float64(len(src))
	determinant := float64(count*squares) - float64(codes*codes)
	if squares == 0 {
		return 0, 0, math.Inf(1)
	}
	if determinant > 0 { // else one code for all
		scale = (float64(count*products) - float64(sum*codes)) / determinant
		offset = (float64(squares*sum) - float64(codes*products)) / determinant
	}
	if offset > 0 || determinant <= 0 {
		offset, scale = 0, products/squares
	}
	if scale <= 0 {
		return 0, 0, math.Inf(1)
	}
	err = norm + float64(scale*scale)*squares + float64(count*offset)*offset +
		2*(float64(scale*offset)*codes-float64(scale*products)-float64(offset*sum))
	return scale, offset, err
}

// minimumBlock is what the three types have in common: groups of values, integers for scales and minima up to most, codes up to last.
type minimumBlock struct {
	scale, minimum [2]byte // halves
	scales, minima [16]byte
	codes          [256]byte
}

// fit finds the block for the values.
func (b *minimumBlock) fit(src []float32, group, most, last int) bool {
	var scales, minima [16]float64
	var largestScale, largestMinimum float64
	for g := range len(src) / group {
		scales[g], minima[g] = fitMinimum(src[g*group:][:group], last)
		largestScale, largestMinimum = max(largestScale, scales[g]), max(largestMinimum, minima[g])
	}
	best, bestScale := math.Inf(1), 0
	try := func(scaleBelow, minimumBelow int) bool {
		var tried minimumBlock
		finite := putHalf(tried.scale[:], float32(largestScale/float64(most-scaleBelow))) &&
			putHalf(tried.minimum[:], float32(largestMinimum/float64(most-minimumBelow)))
		if !finite {
			return false
		}
		if err := tried.assign(src, group, most, last, &scales, &minima); err < best {
			best, bestScale, *b = err, scaleBelow, tried
		}
		return true
	}
	if !try(0, 0) {
		return false
	}
	for below := 1; below <= 2 && best > 0; below++ {
		try(below, 0)
	}
	for below := 1; below <= 2 && best > 0; below++ {
		try(bestScale, below)
	}
	return true
}

// shifts is how many codes up a group is tried that leaves as many at the end unused: its minimum falls on other integers then.
const shifts = 4

// assign gives the groups the integers near to their scales and minima and the values their codes, and returns the squared error.
func (b *minimumBlock) assign(src []float32, group, most, last int, scales, minima *[16]float64) (total float64) {
	scale, minimum := half(b.scale[:]), half(b.minimum[:])
	for g := range len(src) / group {
		values := src[g*group:][:group]
		best := math.Inf(1)
		try := func(s, m int) {
			if s < 0 || s > most || m < 0 || m > most {
				return
			}
			var codes [32]byte
			if err := minimumCodes(codes[:group], values, scale*float32(s), minimum*float32(m), last); err < best {
				best = err
				b.scales[g], b.minima[g] = byte(s), byte(m)
				copy(b.codes[g*group:], codes[:group])
			}
		}
		s, m := whole(scales[g], scale, most), whole(minima[g], minimum, most)
		for _, near := range [3]int{s, s - 1, s + 1} {
			for _, beside := range [3]int{m, m - 1, m + 1} {
				try(near, beside)
			}
		}
		reach := (float64(slices.Max(values)) + minima[g]) / scales[g]
		for shift := 1; shift <= shifts && reach+float64(shift) < float64(last)+0.5; shift++ {
			try(s, whole(minima[g]+float64(float64(shift)*scales[g]), minimum, most))
		}
		total += best
	}
	return total
}

// whole returns the integer up to most that value is of unit.
func whole(value float64, unit float32, most int) int {
	if unit == 0 {
		return 0
	}
	return int(min(math.Round(value/float64(unit)), float64(most)))
}

// minimumCodes gives each value its nearest code and returns the squared error of what Dequantise will make of them.
func minimumCodes(codes []byte, src []float32, scale, minimum float32, last int) (err float64) {
	turns := 0.0
	if scale > 0 {
		turns = 1 / float64(scale)
	}
	for i, value := range src {
		codes[i] = byte(min(max(math.Floor(float64(float64(value+minimum)*turns)+0.5), 0), float64(last)))
		off := float64(float32(scale*float32(codes[i]))-minimum) - float64(value)
		err += float64(off * off)
	}
	return err
}

func toQ2K(dst []byte, src []float32) bool {
	var b minimumBlock
	if !b.fit(src, 16, 15, 3) {
		return false
	}
	copy(dst[80:], b.scale[:])
	copy(dst[82:], b.minimum[:])
	for group := range 16 {
		dst[group] = b.scales[group] | b.minima[group]<<4
	}
	putTwos(dst[16:80], b.codes[:])
	return true
}

// putSixBits writes what sixBits reads.
func putSixBits(packed []byte, scales, minima []byte) {
	for group := range 4 {
		packed[group] = scales[group] | scales[group+4]>>4<<6
		packed[group+4] = minima[group] | minima[group+4]>>4<<6
		packed[group+8] = scales[group+4]&15 | minima[group+4]<<4
	}
}

func toQ4K(dst []byte, src []float32) bool {
	var b minimumBlock
	if !b.fit(src, 32, 63, 15) {
		return false
	}
	copy(dst, b.scale[:])
	copy(dst[2:], b.minimum[:])
	putSixBits(dst[4:16], b.scales[:], b.minima[:])
	putFourBits(dst[16:144], b.codes[:])
	return true
}

func toQ5K(dst []byte, src []float32) bool {
	var b minimumBlock
	if !b.fit(src, 32, 63, 31) {
		return false
	}
	copy(dst, b.scale[:])
	copy(dst[2:], b.minimum[:])
	putSixBits(dst[4:16], b.scales[:], b.minima[:])
	putFifthBits(dst[16:48], b.codes[:])
	putFourBits(dst[48:176], b.codes[:])
	return true
}
