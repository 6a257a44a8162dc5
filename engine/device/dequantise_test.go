package device

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stored is the matrix 0 1 2 … in a type.
func stored(t DType, values int) []byte {
	var out []byte
	for i := range values {
		v := float64(i)
		switch t {
		case F32:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(v)))
		case F64:
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		case BF16:
			out = binary.LittleEndian.AppendUint16(out, uint16(math.Float32bits(float32(v))>>16))
		case F16:
			exponent, fraction := 0, 0.0
			if i > 0 {
				exponent = math.Ilogb(v)
				fraction = v/math.Exp2(float64(exponent)) - 1
				exponent += 15
			}
			out = binary.LittleEndian.AppendUint16(out, uint16(exponent<<10|int(fraction*1024)))
		}
	}
	return out
}

func TestWeightRows(t *testing.T) {
	for _, dtype := range []DType{F32, F64, BF16, F16} {
		for name, c := range map[string]struct {
			w    Weight
			want [][]float64
		}{
			"plain":      {Weight{Out: 2, In: 3, Stride: 3}, [][]float64{{0, 1, 2}, {3, 4, 5}}},
			"stride":     {Weight{Out: 2, In: 3, Stride: 5}, [][]float64{{0, 1, 2}, {5, 6, 7}}},
			"transposed": {Weight{Out: 3, In: 2, Stride: 4, Transposed: true}, [][]float64{{0, 4}, {1, 5}, {2, 6}}},
			"segments": {Weight{Out: 3, In: 2, Stride: 2, Segments: []Segment{{At: 3, Count: 2}, {At: 0, Count: 1}}},
				[][]float64{{6, 7}, {8, 9}, {0, 1}}},
			"segments transposed": {Weight{Out: 3, In: 2, Stride: 6, Transposed: true, Segments: []Segment{{At: 4, Count: 2}, {At: 1, Count: 1}}},
				[][]float64{{4, 10}, {5, 11}, {1, 7}}},
		} {
			w := c.w
			w.Name, w.Type = "w", dtype
			_, size, _ := dtype.Block()
			rows, cols := w.Out, w.In
			if len(w.Segments) > 0 {
				rows = w.Segments[0].At + w.Segments[0].Count
			}
			if w.Transposed {
				rows, cols = cols, rows
			}
			w.Data = stored(dtype, (rows-1)*w.Stride+cols)
			if err := w.Check(); err != nil {
				t.Fatalf("%s %s: %v", dtype, name, err)
			}
			var got [][]float64
			for i := range w.Out {
				row := make([]float64, w.In)
				if err := w.Float64s(row, i); err != nil {
					t.Fatal(err)
				}
				single := make([]float32, w.In)
				if err := w.Float32s(single, i); err != nil {
					t.Fatal(err)
				}
				for k := range row {
					if float64(single[k]) != row[k] {
						t.Errorf("%s %s: float32 %v, float64 %v", dtype, name, single, row)
					}
				}
				got = append(got, row)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s %s: %s", dtype, name, diff)
			}
			w.Data = w.Data[:len(w.Data)-size]
			if err := w.Check(); err == nil || !strings.Contains(err.Error(), "w: ") || !strings.Contains(err.Error(), "bytes of data") {
				t.Errorf("%s %s: short data: %v", dtype, name, err)
			}
		}
	}
}

func TestHalf(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0x0000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: 0x1p-14, 0x0001: 0x1p-24, 0x83ff: -1023 * 0x1p-24,
		0x3555: 1365 * 0x1p-12, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1),
	} {
		if got := half(bits); got != want {
			t.Errorf("%#04x: %g, want %g", bits, got, want)
		}
	}
	if !math.IsNaN(half(0x7e00)) || !math.IsNaN(half(0xfc01)) {
		t.Error("no NaN")
	}
	if !math.Signbit(half(0x8000)) {
		t.Error("−0 lost its sign")
	}
}

func TestWeightCheckRefuses(t *testing.T) {
	for want, w := range map[string]Weight{
		"data type I8: not supported":         {Type: "I8", Out: 1, In: 1, Stride: 1},
		"shape [-1 1]":                        {Type: F32, Out: -1, In: 1, Stride: 1},
		"no matrix":                           {Type: F32, Out: 1 << 40, In: 1 << 40, Stride: 1 << 40},
		"stride 2, want at least 3":           {Type: F32, Out: 1, In: 3, Stride: 2},
		"stride 3, want at least 4":           {Type: F32, Out: 4, In: 3, Stride: 3, Transposed: true},
		"segments of 3 rows together, want 2": {Type: F32, Out: 2, In: 1, Stride: 1, Segments: []Segment{{0, 3}}},
		"segment of 2 rows at -1":             {Type: F32, Out: 2, In: 1, Stride: 1, Segments: []Segment{{-1, 2}}},
		"Q4_0 needs multiples of 32":          {Type: Q4_0, Out: 1, In: 33, Stride: 33},
		"stored transposed in blocks (Q8_0)":  {Type: Q8_0, Out: 32, In: 32, Stride: 32, Transposed: true},
		"0 bytes of data, want 110":           {Type: Q3_K, Out: 1, In: 256, Stride: 256},
	} {
		w.Name = "model.weight"
		err := w.Check()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "model.weight") {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := (Weight{Name: "empty", Type: F32}).Check(); err != nil {
		t.Errorf("no rows: %v", err)
	}
}

// Blocks of Q8_0: a half-precision factor and 32 signed bytes.
func TestWeightRowsOfBlocks(t *testing.T) {
	if before := decoders[Q8_0]; before == nil {
		RegisterDecoder(Q8_0, func(dst []float32, data []byte) error {
			for i := range dst {
				dst[i] = float32(half(binary.LittleEndian.Uint16(data[i/32*34:]))) * float32(int8(data[i/32*34+2+i%32]))
			}
			return nil
		})
		defer delete(decoders, Q8_0)
	}
	var data []byte
	for block := range 6 { // two rows of three blocks, of which the matrix shows two
		data = append(data, stored(F16, block+2)[2*(block+1):]...) // factor block+1
		for i := range 32 {
			data = append(data, byte(int8(i-16)))
		}
	}
	w := Weight{Name: "w", Type: Q8_0, Data: data, Out: 2, In: 64, Stride: 96, Segments: []Segment{{1, 1}, {0, 1}}}
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	for i, factors := range [][]float64{{4, 5}, {1, 2}} {
		row, single := make([]float64, 64), make([]float32, 64)
		if err := w.Float64s(row, i); err != nil {
			t.Fatal(err)
		}
		if err := w.Float32s(single, i); err != nil {
			t.Fatal(err)
		}
		for k := range row {
			if want := factors[k/32] * float64(k%32-16); row[k] != want || float64(single[k]) != want {
				t.Fatalf("row %d, value %d: %g and %g, want %g", i, k, row[k], single[k], want)
			}
		}
	}
	w.Data = data[:len(data)-35]
	if err := w.Check(); err == nil {
		t.Error("a block too few was not seen")
	}
}
