package gguf

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// The codes that Quantise chose, read off the grid and put back, are the block again; codes chosen at random say what the grid says.
func TestCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for kind := range codeRanges {
		elements, size := kind.Block()
		for range 20 {
			values, block, said := make([]float32, elements), make([]byte, size), make([]float32, elements)
			for i := range values {
				values[i] = float32(r.NormFloat64())
			}
			if err := Quantise(block, kind, values); err != nil {
				t.Fatal(err)
			}
			if err := Dequantise(said, kind, block); err != nil {
				t.Fatal(err)
			}
			grid, err := GridOf(block, kind)
			if err != nil {
				t.Fatal(err)
			}
			codes, again := make([]int, elements), bytes.Clone(block)
			for i, v := range said {
				var says float64
				if codes[i], says = grid.Nearest(i, float64(v)); math.Abs(says-float64(v)) > 1e-5 {
					t.Fatalf("%s: value %d is %g, the grid says %g", kind, i, v, says)
				}
			}
			if err := PutCodes(again, kind, codes); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again, block) {
				t.Fatalf("%s: the block's own codes put back make another block", kind)
			}
			first, last, _ := CodeRange(kind)
			for i := range codes {
				codes[i] = first + r.IntN(last-first+1)
			}
			if err := PutCodes(again, kind, codes); err != nil {
				t.Fatal(err)
			}
			if err := Dequantise(said, kind, again); err != nil {
				t.Fatal(err)
			}
			for i, v := range said {
				if want := grid.low[i] + float64(codes[i]-first)*grid.step[i]; math.Abs(want-float64(v)) > 1e-5 {
					t.Fatalf("%s: code %d of value %d says %g, the grid %g", kind, codes[i], i, v, want)
				}
			}
		}
	}
	if err := PutCodes(make([]byte, 20), Q4_1, make([]int, 31)); err == nil {
		t.Error("31 codes in a block of 32")
	}
	if err := PutCodes(make([]byte, 18), Q4_0, append(make([]int, 31), 8)); err == nil {
		t.Error("code 8 in four bits with a sign")
	}
	if _, err := GridOf(make([]byte, 4), F32); err == nil {
		t.Error("a grid of F32")
	}
}
