package weights

import (
	"math"
	"slices"
	"testing"

	"avssnative/engine/device"
)

// Values of the tables 1 and 2 of OCP 8-bit Floating Point Specification 1.0.
func TestFloat8(t *testing.T) {
	for _, c := range []struct {
		table *[256]float32
		code  byte
		want  float64
	}{
		{float8s[f8e4m3], 0x00, 0}, {float8s[f8e4m3], 0x01, 0x1p-9}, {float8s[f8e4m3], 0x07, 0x1.cp-7}, {float8s[f8e4m3], 0x08, 0x1p-6},
		{float8s[f8e4m3], 0x38, 1}, {float8s[f8e4m3], 0x7e, 448}, {float8s[f8e4m3], 0xfe, -448}, {float8s[f8e4m3], 0x7f, math.NaN()},
		{float8s[f8e4m3], 0xff, math.NaN()},
		{float8s[f8e5m2], 0x01, 0x1p-16}, {float8s[f8e5m2], 0x03, 0x1.8p-15}, {float8s[f8e5m2], 0x04, 0x1p-14}, {float8s[f8e5m2], 0x3c, 1},
		{float8s[f8e5m2], 0x7b, 57344}, {float8s[f8e5m2], 0x7c, math.Inf(1)}, {float8s[f8e5m2], 0xfc, math.Inf(-1)}, {float8s[f8e5m2], 0x7d, math.NaN()},
	} {
		got := float64(c.table[c.code])
		if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%#02x: %g, want %g", c.code, got, c.want)
		}
	}
	if !math.Signbit(float64(float8s[f8e4m3][0x80])) {
		t.Error("−0 lost its sign")
	}
}

// Scales may be exponents of two, in blocks other than those declared where the shapes leave no doubt.
func TestScalesOfExponents(t *testing.T) {
	weight := Stored{Name: "w", Type: i8, Shape: []int{2, 4}, Data: []byte{1, 1, 1, 1, 1, 1, 1, 1}}
	for _, kind := range []string{"U8", "F8_E8M0"} {
		scale := Stored{Name: "w_scale", Type: device.DType(kind), Shape: []int{2, 2}, Data: []byte{127, 128, 126, 120}}
		var err error
		if weight.Scales, err = scalesOf(weight, scale, Stored{}, []int{128, 128}); err != nil {
			t.Fatal(err)
		}
		got, err := Decode(weight, 0, 8)
		if want := []float32{1, 1, 2, 2, 0.5, 0.5, 0x1p-7, 0x1p-7}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v (%v), want %v", kind, got, err, want)
		}
	}
}

// A scale belongs to its block, also where the last blocks are cut by the matrix's edges, and in each matrix of a stack.
func TestScalesOfBlocks(t *testing.T) {
	weight := Stored{Name: "w", Type: i8, Shape: []int{2, 3, 5}, Data: make([]byte, 30)}
	for i := range weight.Data {
		weight.Data[i] = 1
	}
	scale := Stored{Name: "w_scale", Type: "BF16", Shape: []int{2, 2, 2}}
	for i := range 8 {
		bits := math.Float32bits(float32(i+1)) >> 16
		scale.Data = append(scale.Data, byte(bits), byte(bits>>8))
	}
	var err error
	if weight.Scales, err = scalesOf(weight, scale, Stored{}, []int{2, 4}); err != nil {
		t.Fatal(err)
	}
	want := []float32{
		1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 3, 3, 3, 3, 4,
		5, 5, 5, 5, 6, 5, 5, 5, 5, 6, 7, 7, 7, 7, 8,
	}
	for first := range 30 { // from any place on
		got, err := Decode(weight, first, 30-first)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if v != want[first+i] {
				t.Fatalf("from %d: value %d is %g, want %g", first, i, v, want[first+i])
			}
		}
	}
}
