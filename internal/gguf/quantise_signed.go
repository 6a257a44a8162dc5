package gguf

import "math"

// The inverses of the K blocks without minima (block_k.go): Q3_K, Q6_K. The codes of a group go from −half to half − 1, its scale is a
// signed integer times one of the block. The scales are found as in quantise_minimum.go: freely by group, trying scales at which the value
// furthest out becomes about code −half (as llama.cpp's make_qx_quants does), then as integers beside the free ones.

// fitSigned returns the scale of a group: value ≈ scale × code.
func fitSigned(src []float32, half int) (scale float64) {
	furthest := float64(outermost(src))
	if furthest == 0 {
		return 0
	}
	best := 0.0
	try := func(turns float64) bool {
		var products, squares float64
		for _, value := range src {
			c := signed(float64(float64(value)*turns), half)
			products += float64(float64(value) * c)
			squares += float64(c * c)
		}
		// The error is Σ value² − products²/squares.
		if squares == 0 || products*products/squares <= best {
			return false
		}
		best, scale = products*products/squares, products/squares
		return true
	}
	for trial := -trials; trial <= trials; trial++ {
		try(-(float64(half) + float64(trial)/10) / furthest)
	}
	for fewer := 2; fewer <= half/4; fewer++ { // what was quantised before need not reach to the last code
		try(-float64(half-fewer) / furthest)
		try(float64(half-fewer) / furthest)
	}
	for range 8 {
		if scale == 0 || !try(1/scale) {
			break
		}
	}
	return scale
}

// signed returns the whole number nearest to value, from −half to half − 1.
func signed(value float64, half int) float64 {
	return min(max(math.Floor(value+0.5), float64(-half)), float64(half-1))
}

// signedBlock is what the two types have in common: 16 groups of 16 values.
type signedBlock struct {
	scale  [2]byte // half
	scales [16]int
	codes  [256]int
}

// fit finds the block for the values: scales from −most to most − 1, codes from −half to half − 1.
func (b *signedBlock) fit(src []float32, most, half int) bool {
	var scales [16]float64
	largest := 0.0
	for g := range scales {
		scales[g] = fitSigned(src[g*16:][:16], half)
		if math.Abs(scales[g]) > math.Abs(largest) {
			largest = scales[g]
		}
	}
	best := math.Inf(1)
	for below := 0; below <= 2 && best > 0; below++ {
		var tried signedBlock
		if !putHalf(tried.scale[:], float32(largest/float64(below-most))) {
			return below > 0
		}
		if err := tried.assign(src, most, half, &scales); err < best {
			best, *b = err, tried
		}
	}
	return true
}

// assign gives the groups the integers near to their scales and the values their codes, and returns the squared error.
func (b *signedBlock) assign(src []float32, most, last int, scales *[16]float64) (total float64) {
	scale := half(b.scale[:])
	for g := range scales {
		near := 0
		if scale != 0 {
			near = int(signed(scales[g]/float64(scale), most))
		}
		best := math.Inf(1)
		for _, s := range [3]int{near, near - 1, near + 1} {
			if s < -most || s >= most {
				continue
			}
			var codes [16]int
			if err := signedCodes(&codes, src[g*16:][:16], scale*float32(s), last); err < best {
				best = err
				b.scales[g] = s
				copy(b.codes[g*16:], codes[:])
			}
		}
		total += best
	}
	return total
}

// signedCodes gives each value its nearest code and returns the squared error of what Dequantise will make of them.
func signedCodes(codes *[16]int, src []float32, scale float32, half int) (err float64) {
	turns := 0.0
	if scale != 0 {
		turns = 1 / float64(scale)
	}
	for i, value := range src {
		codes[i] = int(signed(float64(float64(value)*turns), half))
		off := float64(scale*float32(codes[i])) - float64(value)
		err += float64(off * off)
	}
	return err
}

func toQ3K(dst []byte, src []float32) bool {
	var b signedBlock
	if !b.fit(src, 32, 4) {
		return false
	}
	packed := dst[96:108]
	clear(packed)
	copy(dst[108:], b.scale[:])
	for group := range 16 {
		six := byte(b.scales[group] + 32)
		packed[group%8] |= six & 15 << (group / 8 * 4)
		packed[8+group%4] |= six >> 4 << (group / 4 * 2)
	}
	putThrees(dst[:32], dst[32:96], b.codes[:])
	return true
}

func toQ6K(dst []byte, src []float32) bool {
	var b signedBlock
	if !b.fit(src, 128, 32) {
		return false
	}
	copy(dst[208:], b.scale[:])
	for group, scale := range b.scales {
		dst[192+group] = byte(int8(scale))
	}
	putSixes(dst[:128], dst[128:192], b.codes[:])
	return true
}
