package reference

import (
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/engine/device"
)

// Device "reference" against values worked out by hand.

// near bounds the error of a few float64 operations, and of reading a result as float32.
const near = 1e-6

func openReference(t *testing.T) device.Device {
	t.Helper()
	d, err := device.Open("reference", device.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// put makes a tensor of the given rows.
func put(d device.Device, rows ...[]float32) device.Tensor {
	t := d.NewTensor(len(rows), len(rows[0]))
	d.Upload(t, 0, slices.Concat(rows...))
	return t
}

// get reads a tensor.
func get(t *testing.T, d device.Device, x device.Tensor) []float32 {
	t.Helper()
	out := make([]float32, x.Rows()*x.Cols())
	d.Download(out, x, 0)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	return out
}

// expect compares a tensor with its values row by row.
func expect(t *testing.T, d device.Device, x device.Tensor, want ...float64) {
	t.Helper()
	got := get(t, d, x)
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > near*(1+math.Abs(want[i])) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// refuses expects the sticky error that holds all the words, once.
func refuses(t *testing.T, d device.Device, words ...string) {
	t.Helper()
	err := d.Sync()
	if err == nil {
		t.Fatalf("no error, want one about %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error of several lines: %q", err)
	}
	if again := d.Sync(); again != nil {
		t.Errorf("Sync did not clear the error: %v", again)
	}
}

func matrixOf(t *testing.T, d device.Device, rows ...[]float32) device.Matrix {
	t.Helper()
	m, err := d.Matrix(device.Weight{Name: "w", Type: device.F32, Data: bytesOf(slices.Concat(rows...)), Out: len(rows), In: len(rows[0]),
		Stride: len(rows[0])})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bytesOf(values []float32) []byte {
	var out []byte
	for _, v := range values {
		b := math.Float32bits(v)
		out = append(out, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
	}
	return out
}

func TestReferenceOpens(t *testing.T) {
	found, err := device.List("reference")
	if err != nil || len(found) != 1 || found[0].Compute != device.ComputeF64 || found[0].Threads < 1 {
		t.Errorf("Devices: %+v, %v", found, err)
	}
	if _, err := device.Open("reference:1", device.Options{}); err == nil {
		t.Error("reference:1 opened")
	}
	if _, err := device.Open("reference", device.Options{Compute: device.ComputeBF16}); err == nil {
		t.Error("opened for bf16")
	}
	if _, err := device.Open("reference", device.Options{Threads: -1}); err == nil {
		t.Error("opened with −1 threads")
	}
	d, err := device.Open("reference", device.Options{Threads: 3})
	if err != nil || d.Info().Threads != 3 || d.Info().Name != "reference" {
		t.Errorf("info %+v, %v", d.Info(), err)
	}
}

func TestReferenceViews(t *testing.T) {
	d := openReference(t)
	x := d.NewTensor(3, 4)
	expect(t, d, x, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	inner := x.Columns(1, 2).Slice(1, 2)
	if inner.Rows() != 2 || inner.Cols() != 2 {
		t.Fatalf("view of [%d %d]", inner.Rows(), inner.Cols())
	}
	d.Upload(inner, 1, []float32{7, 8})
	d.Upload(inner.Slice(0, 1), 0, []float32{5, 6})
	expect(t, d, x, 0, 0, 0, 0, 0, 5, 6, 0, 0, 7, 8, 0)
	expect(t, d, inner.Columns(1, 1), 6, 8)
	inner.Free()
	expect(t, d, inner, 5, 6, 7, 8)
	x.Free()
	d.Scale(inner, 2, nil)
	refuses(t, d, "scale", "Free")

	x = d.NewTensor(2, 2)
	x.Slice(1, 2)
	refuses(t, d, "slice", "2 rows from row 1")
	x.Columns(-1, 1)
	refuses(t, d, "columns", "column -1")
	d.Upload(x, 0, []float32{1, 2, 3})
	refuses(t, d, "upload", "3 values, want a multiple of 2")
	d.Download(make([]float32, 4), x, 1)
	refuses(t, d, "download", "2 rows from row 1")
	d.NewTensor(-1, 2)
	refuses(t, d, "new tensor", "-1")
	d.Scale(nil, 1, nil)
	refuses(t, d, "scale", "no tensor")
	d.Scale(openReference(t).NewTensor(1, 1), 1, nil)
	refuses(t, d, "another device")
}

func TestReferenceFirstFailureSticks(t *testing.T) {
	d := openReference(t)
	x := put(d, []float32{1})
	d.Scale(x, 1, []float32{1, 2})
	d.Clamp(x, -1)
	d.Scale(x, 5, nil)
	refuses(t, d, "scale", "2 row factors, want 1")
	expect(t, d, x, 1)
}

func TestReferenceProduct(t *testing.T) {
	d := openReference(t)
	w := matrixOf(t, d, []float32{1, 2}, []float32{3, 4}, []float32{5, 6}, []float32{-1, 0}, []float32{0, 1})
	if w.Out() != 5 || w.In() != 2 {
		t.Fatalf("matrix [%d %d]", w.Out(), w.In())
	}
	x := put(d, []float32{1, 1}, []float32{2, -1})
	dst := d.NewTensor(2, 5)
	d.Product(dst, x, w, nil)
	expect(t, d, dst, 3, 7, 11, -1, 1, 0, 2, 4, -2, -1)
	d.Product(dst, x, w, put(d, []float32{10, 20, 30, 40, 50}))
	expect(t, d, dst, 13, 27, 41, 39, 51, 10, 22, 34, 38, 49)

	d.Product(dst, put(d, []float32{1}), w, nil)
	refuses(t, d, "product", "x", "shape [1 1], want [any 2]")
	d.Product(d.NewTensor(2, 4), x, w, nil)
	refuses(t, d, "dst", "shape [2 4], want [2 5]")
	d.Product(dst, x, w, d.NewTensor(1, 4))
	refuses(t, d, "bias")
	d.Product(dst, x, nil, nil)
	refuses(t, d, "no matrix")
	wide := d.NewTensor(2, 7)
	d.Product(wide.Columns(0, 5), wide.Columns(4, 2), w, nil)
	refuses(t, d, "overlaps")
	d.Product(wide.Columns(0, 5), wide.Columns(5, 2), w, nil)
	expect(t, d, wide, make([]float64, 14)...)
	w.Release()
	d.Product(dst, x, w, nil)
	refuses(t, d, "w used after Release")
}

func TestReferenceEmbed(t *testing.T) {
	d := openReference(t)
	table := matrixOf(t, d, []float32{1, 2}, []float32{3, 4}, []float32{5, 6})
	dst := d.NewTensor(3, 2)
	d.Embed(dst, table, []int32{2, 0, 2}, 0.5)
	expect(t, d, dst, 2.5, 3, 0.5, 1, 2.5, 3)
	d.Embed(dst, table, []int32{0, 3, 0}, 1)
	refuses(t, d, "token id 3", "vocabulary has 3")
	d.Embed(dst, table, []int32{0, 0, -1}, 1)
	refuses(t, d, "token id -1")
	d.Embed(dst, table, []int32{0}, 1)
	refuses(t, d, "shape [3 2], want [1 2]")
	expect(t, d, dst, 2.5, 3, 0.5, 1, 2.5, 3)
}

func TestReferenceMoves(t *testing.T) {
	d := openReference(t)
	src := put(d, []float32{1, 2, 3}, []float32{4, 5, 6}, []float32{7, 8, 9})
	dst := d.NewTensor(2, 3)
	d.Gather(dst, src, []int32{2, 1})
	expect(t, d, dst, 7, 8, 9, 4, 5, 6)
	d.Scatter(dst, src, []int32{0, 1, 0}, []float32{1, 2, -1})
	expect(t, d, dst, 7+1-7, 8+2-8, 9+3-9, 4+8, 5+10, 6+12)
	d.Scatter(dst, src.Slice(0, 1), []int32{1}, nil)
	expect(t, d, dst, 1, 2, 3, 13, 17, 21)
	d.Columns(dst, src.Slice(1, 2), []device.Move{{From: 1, To: 0, Count: 2}, {From: 0, To: 2, Count: 1}})
	expect(t, d, dst, 5, 6, 4, 8, 9, 7)
	d.Gather(dst, src, []int32{0, 3})
	refuses(t, d, "gather", "row 3 at index 1, src has 3")
	d.Scatter(dst, src, []int32{0, 1, 2}, nil)
	refuses(t, d, "scatter", "row 2 at index 2, dst has 2")
	d.Scatter(dst, src, []int32{0, 1, 1}, []float32{1})
	refuses(t, d, "1 weights for 3 rows")
	d.Columns(dst, src.Slice(1, 2), []device.Move{{From: 2, To: 0, Count: 2}})
	refuses(t, d, "columns", "2 columns from 2 of 3")
}

func TestReferenceLayouts(t *testing.T) {
	d := openReference(t)
	x, dst, kernel := d.NewTensor(4, 1), d.NewTensor(4, 1), d.NewTensor(1, 2)
	for name, l := range map[string]*device.Layout{
		"no layout":                 nil,
		"starts at row 1, want 0":   {Start: []int32{1, 4}},
		"ends at row 2, before":     {Start: []int32{0, 3, 2, 4}},
		"3 rows, want 4":            {Start: []int32{0, 3}},
		"1 prefixes for 2":          {Start: []int32{0, 3, 4}, Prefix: []int32{-1}},
		"prefix 2 of 2":             {Start: []int32{0, 3, 4}, Prefix: []int32{-1, 2}},
		"prefix 0 of 2":             {Start: []int32{0, 3, 4}, Prefix: []int32{0, -1}},
		"has a prefix itself":       {Start: []int32{0, 1, 2, 4}, Prefix: []int32{-1, 0, 1}},
		"sequence 0 has prefix -2 ": {Start: []int32{0, 4}, Prefix: []int32{-2}},
	} {
		d.Convolve(dst, x, kernel, nil, l)
		refuses(t, d, "layout", name)
	}
}
