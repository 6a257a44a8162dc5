package safetensors

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var onlyPublic = cmpopts.IgnoreUnexported(Tensor{})

// simple are three tensors that need no reordering.
func simple() []Source {
	return []Source{
		Bytes("b.weight", "F32", []int64{2, 3}, bytes.Repeat([]byte{1, 2, 3, 4}, 6)),
		Bytes("a.weight", "BF16", []int64{4}, []byte("01234567")),
		Bytes("empty", "F32", []int64{0, 5}, nil),
	}
}

func folder(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestWriteOne(t *testing.T) {
	dir := t.TempDir()
	names, err := Write(context.Background(), dir, simple(), map[string]string{"made_by": "test"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"model.safetensors"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(names, folder(t, dir)); diff != "" {
		t.Error(diff)
	}
	set, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	path := filepath.Join(dir, "model.safetensors")
	start := 8 + int64(len(set.Files()[0].Header()))
	if start%8 != 0 {
		t.Errorf("data begins at %d, want a multiple of 8", start)
	}
	want := []Tensor{
		{Name: "b.weight", DType: "F32", Shape: []int64{2, 3}, Data: bytes.Repeat([]byte{1, 2, 3, 4}, 6), File: path, Offset: start},
		{Name: "a.weight", DType: "BF16", Shape: []int64{4}, Data: []byte("01234567"), File: path, Offset: start + 24},
		{Name: "empty", DType: "F32", Shape: []int64{0, 5}, Data: []byte{}, File: path, Offset: start + 32},
	}
	if diff := cmp.Diff(want, set.Tensors(), onlyPublic); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"format": "pt", "made_by": "test"}, set.Files()[0].Metadata()); diff != "" {
		t.Error(diff)
	}
	if err := set.Check(); err != nil {
		t.Error(err)
	}
}

func TestWriteShards(t *testing.T) {
	dir := t.TempDir()
	names, err := Write(context.Background(), dir, simple(), nil, 30)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, folder(t, dir)); diff != "" {
		t.Error(diff)
	}
	index, err := os.ReadFile(filepath.Join(dir, "model.safetensors.index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{
  "metadata": {
    "total_size": 32
  },
  "weight_map": {
    "a.weight": "model-00002-of-00002.safetensors",
    "b.weight": "model-00001-of-00002.safetensors",
    "empty": "model-00002-of-00002.safetensors"
  }
}
`; string(index) != want {
		t.Errorf("index %s, want %s", index, want)
	}
	set, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	var order []string
	for _, tensor := range set.Tensors() {
		order = append(order, tensor.Name)
	}
	if diff := cmp.Diff([]string{"b.weight", "a.weight", "empty"}, order); diff != "" {
		t.Error(diff)
	}
	if tensor, ok := set.Lookup("a.weight"); !ok || string(tensor.Data) != "01234567" || filepath.Base(tensor.File) != want[1] {
		t.Errorf("lookup: %v %v", tensor, ok)
	}
	if _, ok := set.Lookup("absent"); ok {
		t.Error("lookup finds an absent tensor")
	}
}

// A tensor of bytes before one of floats would leave the floats where they cannot be viewed.
func TestWriteAligns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	sources := []Source{
		Bytes("mask", "BOOL", []int64{3}, []byte{1, 0, 1}),
		Bytes("x", "F32", []int64{1}, []byte{1, 2, 3, 4}),
		Bytes("h", "F16", []int64{1}, []byte{1, 2}),
		Bytes("y", "F32", []int64{1}, []byte{5, 6, 7, 8}),
	}
	if err := WriteFile(context.Background(), path, sources, nil); err != nil {
		t.Fatal(err)
	}
	file, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var order []string
	for _, tensor := range file.Tensors() {
		order = append(order, tensor.Name)
		if tensor.Offset%alignment(tensor.DType) != 0 {
			t.Errorf("%s of %s begins at %d", tensor.Name, tensor.DType, tensor.Offset)
		}
	}
	if diff := cmp.Diff([]string{"x", "y", "h", "mask"}, order); diff != "" {
		t.Error(diff)
	}
}

func TestWriteErrors(t *testing.T) {
	sized := func(size int64, stream func(io.Writer) error) []Source {
		return append(simple(), Source{Name: "last", DType: "U8", Shape: []int64{size}, Size: size, Stream: stream})
	}
	give := func(n int) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(make([]byte, n)); return err }
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	cases := []struct {
		name    string
		ctx     context.Context
		sources []Source
		want    string
	}{
		{"full disk", nil, sized(5, func(io.Writer) error { return syscall.ENOSPC }), `model-00002-of-00002.safetensors: tensor "last": no space left`},
		{"too few", nil, sized(5, give(4)), `tensor "last": 4 of 5 bytes given`},
		{"too many", nil, sized(5, give(6)), `tensor "last": more bytes given`},
		{"cancelled", cancelled, simple(), "context canceled"},
		{"same name", nil, append(simple(), simple()[0]), `tensor "b.weight": name taken`},
		{"reserved name", nil, []Source{Bytes("__metadata__", "U8", []int64{1}, []byte{1})}, "name taken"},
		{"wrong size", nil, []Source{Bytes("w", "F32", []int64{2}, make([]byte, 7))}, "7 bytes, want 8 for shape [2] of F32"},
		{"not UTF-8", nil, []Source{Bytes("\xff", "F32", []int64{1}, make([]byte, 4))}, "cannot be written"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			ctx := c.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			names, err := Write(ctx, dir, c.sources, nil, 32)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if names != nil {
				t.Errorf("names %v", names)
			}
			if left := folder(t, dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	if _, err := Write(context.Background(), filepath.Join(t.TempDir(), "absent"), simple(), nil, 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent folder: %v", err)
	}
}

// A failed write leaves the file it would have replaced.
func TestWriteFileKeepsOldOnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := WriteFile(context.Background(), path, simple(), nil); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	bad := []Source{{Name: "x", DType: "U8", Shape: []int64{1}, Size: 1, Stream: func(io.Writer) error { return io.ErrUnexpectedEOF }}}
	if err := WriteFile(context.Background(), path, bad, nil); err == nil {
		t.Fatal("no error")
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the old file changed")
	}
}

// Whatever is written is read again: names, dtypes (known or not), shapes, bytes; and copying the copy gives the same file.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtypes := []string{"F64", "F32", "BF16", "F16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "NEW_7"}
		var sources []Source
		data := map[string][]byte{}
		for _, name := range rapid.SliceOfNDistinct(rapid.String(), 0, 8, rapid.ID).Draw(t, "names") {
			dtype := rapid.SampledFrom(dtypes).Draw(t, "dtype")
			shape := rapid.SliceOfN(rapid.Int64Range(0, 4), 0, 3).Draw(t, "shape")
			size, known, err := Size(dtype, shape)
			if err != nil {
				continue // an odd number of 4-bit elements
			}
			if !known {
				size = rapid.Int64Range(0, 9).Draw(t, "size")
			}
			data[name] = rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(t, "data")
			sources = append(sources, Bytes(name, dtype, shape, data[name]))
		}
		dir, err := os.MkdirTemp("", "safetensors")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		if _, err := Write(context.Background(), dir, sources, nil, rapid.Int64Range(0, 40).Draw(t, "shard")); err != nil {
			t.Fatal(err)
		}
		set, err := OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer set.Close()
		if len(set.Tensors()) != len(sources) {
			t.Fatalf("%d tensors read, %d written", len(set.Tensors()), len(sources))
		}
		var copies []Source
		for _, source := range sources {
			tensor, ok := set.Lookup(source.Name)
			if !ok || tensor.DType != source.DType || !cmp.Equal(tensor.Shape, source.Shape, cmpopts.EquateEmpty()) || !bytes.Equal(tensor.Data,
				data[source.Name]) {
				t.Fatalf("%q: read %v, wrote %v", source.Name, tensor, source)
			}
			copies = append(copies, tensor.Source(tensor.Name))
		}
		one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
		for path, list := range map[string][]Source{one: sources, two: copies} {
			if err := WriteFile(context.Background(), path, list, nil); err != nil {
				t.Fatal(err)
			}
		}
		first, _ := os.ReadFile(one)
		second, _ := os.ReadFile(two)
		if len(first) == 0 || !bytes.Equal(first, second) {
			t.Fatal("the copy is another file")
		}
	})
}
