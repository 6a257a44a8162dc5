package gguf

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"avssnative/internal/need"
)

// everything is metadata of every type.
func everything() []KV {
	return []KV{
		{"general.architecture", "llama"}, {"a.uint8", uint8(200)}, {"a.int8", int8(-100)}, {"a.uint16", uint16(60000)}, {"a.int16", int16(-30000)},
		{"a.uint32", uint32(4000000000)}, {"a.int32", int32(-2000000000)}, {"a.float32", float32(0.1)}, {"a.uint64", uint64(1 << 63)},
		{"a.int64", int64(-(1 << 62))}, {"a.float64", 0.1}, {"a.bool", true}, {"a.string", "größer"}, {"a.strings", []string{"<s>", "", "é"}},
		{"a.ints", []int32{1, -2, 3}}, {"a.floats", []float32{0.5, -1.5}}, {"a.bools", []bool{true, false}},
	}
}

func TestReadsPythonFile(t *testing.T) {
	f, err := Open(filepath.Join("testdata", "python.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := append(everything(), KV{"llama.block_count", uint32(3)}, KV{"llama.feed_forward_length", []int32{32, 64, 96}})
	if diff := cmp.Diff(want, f.Metadata()); diff != "" {
		t.Error(diff)
	}
	var names []string
	for _, tensor := range f.Tensors() {
		names = append(names, tensor.Name)
	}
	if diff := cmp.Diff([]string{"token_embd.weight", "blk.0.ffn_up.weight", "blk.0.attn_norm.weight", "blk.1.ffn_up.weight", "blk.1.attn_norm.weight",
		"blk.2.ffn_up.weight", "blk.2.attn_norm.weight"}, names); diff != "" {
		t.Error(diff)
	}
	embedding, _ := f.Lookup("token_embd.weight")
	if diff := cmp.Diff([]int64{2, 32}, embedding.Shape); diff != "" {
		t.Error(diff)
	}
	if embedding.RowLength() != 32 || embedding.RowBytes() != 128 {
		t.Errorf("rows of %d elements, %d bytes", embedding.RowLength(), embedding.RowBytes())
	}
	values := make([]float32, 64)
	if err := Dequantise(values, embedding.Type, embedding.Data); err != nil {
		t.Fatal(err)
	}
	for i, value := range values {
		if value != float32(i) {
			t.Fatalf("token_embd.weight: value %d is %g", i, value)
		}
	}
	up, _ := f.Lookup("blk.1.ffn_up.weight")
	values = make([]float32, 128)
	if err := Dequantise(values, up.Type, up.Data); err != nil {
		t.Fatal(err)
	}
	if up.Type != Q8_0 || up.RowBytes() != 34 || values[0] < 1.99 || values[127] > 2.01 {
		t.Errorf("blk.1.ffn_up.weight: %s, rows of %d bytes, %v", up.Type, up.RowBytes(), values)
	}
	if value, present, err := f.Integer("llama.block_count"); value != 3 || !present || err != nil {
		t.Errorf("block count %d %v %v", value, present, err)
	}
	if _, present, err := f.Integer("absent"); present || err != nil {
		t.Errorf("absent: %v %v", present, err)
	}
	for _, key := range []string{"a.string", "a.uint64"} {
		if _, _, err := f.Integer(key); err == nil {
			t.Errorf("%s passes for an integer", key)
		}
	}
	if _, _, err := Get[string](f, "a.ints"); err == nil || !strings.Contains(err.Error(), "a.ints is of type []int32, want string") {
		t.Errorf("error %v", err)
	}
	if f.Version() != 3 || f.Alignment() != 32 || !bytes.HasPrefix(f.Header(), []byte("GGUF")) || f.Check() != nil || f.Size() == 0 {
		t.Errorf("version %d, alignment %d, size %d", f.Version(), f.Alignment(), f.Size())
	}
}

// Copying a file of another program gives the same bytes.
func TestCopyIsTheSameFile(t *testing.T) {
	paths := []string{filepath.Join("testdata", "python.gguf")}
	for _, path := range paths {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var sources []Source
		for _, tensor := range f.Tensors() {
			sources = append(sources, tensor.Source(tensor.Name))
		}
		to := filepath.Join(t.TempDir(), "copy.gguf")
		if err := Write(context.Background(), to, f.Metadata(), sources); err != nil {
			t.Fatal(err)
		}
		want, _ := os.ReadFile(path)
		got, _ := os.ReadFile(to)
		if len(want) == 0 || !bytes.Equal(want, got) {
			t.Errorf("%s: the copy differs: %d bytes, want %d", path, len(got), len(want))
		}
	}
}

func TestOpensFilesOfLlamaCpp(t *testing.T) {
	paths, _ := filepath.Glob(filepath.Join(need.Data(t, "tokenizers/llama.cpp-vocab"), "*.gguf"))
	paths = append(paths, need.Data(t, "models/llama-2-tiny-random-gguf-UNTRAINED/llama-2-tiny-random.gguf"))
	if len(paths) < 5 {
		t.Fatalf("%d files", len(paths))
	}
	for _, path := range paths {
		f, err := Open(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if arch, present, err := Get[string](f, "general.architecture"); err != nil || !present || arch == "" {
			t.Errorf("%s: architecture %q %v", path, arch, err)
		}
		if tokens, present, err := Get[[]string](f, "tokenizer.ggml.tokens"); err != nil || !present || len(tokens) < 100 {
			t.Errorf("%s: %d tokens, %v", path, len(tokens), err)
		}
		header, _, _, err := encode(f.Metadata(), nil)
		if err != nil || !bytes.Contains(f.Header(), header[24:]) {
			t.Errorf("%s: metadata written again differs (%v)", path, err)
		}
		f.Close()
	}
}

func values() *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		scalar := []func() any{
			func() any { return rapid.Uint8().Draw(t, "v") }, func() any { return rapid.Int8().Draw(t, "v") },
			func() any { return rapid.Uint16().Draw(t, "v") }, func() any { return rapid.Int16().Draw(t, "v") },
			func() any { return rapid.Uint32().Draw(t, "v") }, func() any { return rapid.Int32().Draw(t, "v") },
			func() any { return rapid.Uint64().Draw(t, "v") }, func() any { return rapid.Int64().Draw(t, "v") },
			func() any { return rapid.Float32().Draw(t, "v") }, func() any { return rapid.Float64().Draw(t, "v") },
			func() any { return rapid.Bool().Draw(t, "v") }, func() any { return rapid.String().Draw(t, "v") },
			func() any { return rapid.SliceOf(rapid.Uint8()).Draw(t, "v") }, func() any { return rapid.SliceOf(rapid.Int8()).Draw(t, "v") },
			func() any { return rapid.SliceOf(rapid.Uint16()).Draw(t, "v") }, func() any { return rapid.SliceOf(rapid.Int16()).Draw(t, "v") },
			func() any { return rapid.SliceOf(rapid.Uint32()).Draw(t, "v") }, func() any { return rapid.SliceOf(rapid.Int32()).Draw(t, "v") },
			func() any { return rapid.SliceOf(rapid.Uint64()).Draw(t, "v") }, func() any { return rapid.SliceOf(rapid.Int64()).Draw(t, "v") },
			func() any { return rapid.SliceOf(rapid.Float32()).Draw(t, "v") }, func() any { return rapid.SliceOf(rapid.Float64()).Draw(t, "v") },
			func() any { return rapid.SliceOf(rapid.Bool()).Draw(t, "v") }, func() any { return rapid.SliceOf(rapid.String()).Draw(t, "v") },
			func() any { return []any{[]int32{1, 2}, []string{"x"}, []any{[]bool{true}}} },
		}
		return scalar[rapid.IntRange(0, len(scalar)-1).Draw(t, "type")]()
	})
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var metadata []KV
		for _, key := range rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z.]{1,8}`), 0, 6, rapid.ID).Draw(t, "keys") {
			metadata = append(metadata, KV{key, values().Draw(t, "value")})
		}
		alignment := rapid.SampledFrom([]uint32{1, 8, 32, 64}).Draw(t, "alignment")
		metadata = append(metadata, KV{"general.alignment", alignment})
		var sources []Source
		var data [][]byte
		for i, name := range rapid.SliceOfNDistinct(rapid.String(), 0, 5, rapid.ID).Draw(t, "names") {
			kind := rapid.SampledFrom([]Type{F32, F16, Q4_0, Q6_K, 16, 24}).Draw(t, "type")
			elements, size := kind.Block()
			rows, blocks := rapid.Int64Range(0, 3).Draw(t, "rows"), rapid.Int64Range(0, 3).Draw(t, "blocks")
			data = append(data, bytes.Repeat([]byte{byte(i + 1)}, int(rows*blocks)*size))
			sources = append(sources, Bytes(name, kind, []int64{rows, blocks * int64(elements)}, data[i]))
		}
		dir, err := os.MkdirTemp("", "gguf")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		path := filepath.Join(dir, "x.gguf")
		if err := Write(context.Background(), path, metadata, sources); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if diff := cmp.Diff(metadata, f.Metadata()); diff != "" {
			t.Fatal(diff)
		}
		for i, tensor := range f.Tensors() {
			if tensor.Name != sources[i].Name || tensor.Type != sources[i].Type || !cmp.Equal(tensor.Shape, sources[i].Shape) ||
				!bytes.Equal(tensor.Data, data[i]) || len(tensor.Data) > 0 && tensor.Offset%int64(alignment) != 0 {
				t.Fatalf("tensor %d: %v, want %v", i, tensor, sources[i])
			}
		}
	})
}

func TestWriteErrors(t *testing.T) {
	source := func(size int, err error) []Source {
		return []Source{{Name: "x", Type: F32, Shape: []int64{2}, Stream: func(w io.Writer) error {
			if err != nil {
				return err
			}
			_, err := w.Write(make([]byte, size))
			return err
		}}}
	}
	cases := []struct {
		name     string
		metadata []KV
		sources  []Source
		want     string
	}{
		{"full disk", nil, source(8, syscall.ENOSPC), `tensor "x": no space left`},
		{"too few", nil, source(7, nil), "7 of 8 bytes given"},
		{"too many", nil, source(9, nil), "more bytes given"},
		{"same key", []KV{{"a", true}, {"a", false}}, nil, "given twice"},
		{"same tensor", nil, append(source(8, nil), source(8, nil)...), "named twice"},
		{"alignment 3", []KV{{"general.alignment", uint32(3)}}, nil, "want a power of two"},
		{"unknown value", []KV{{"a", 1}}, nil, "type int cannot be written"},
		{"unknown inner value", []KV{{"a", []any{1}}}, nil, "type int in a list cannot be written"},
		{"nested too deep", []KV{{"a", []any{[]any{[]any{[]any{[]any{[]bool{}}}}}}}}, nil, "nested more than 4 deep"},
		{"unknown type", nil, []Source{Bytes("x", 99, []int64{1}, nil)}, "type 99 is unknown"},
		{"half a block", nil, []Source{Bytes("x", Q4_0, []int64{2, 16}, nil)}, "no whole Q4_0 blocks"},
		{"five dimensions", nil, []Source{Bytes("x", F32, []int64{1, 1, 1, 1, 1}, nil)}, "5 dimensions"},
		{"not UTF-8", nil, []Source{Bytes("\xff", F32, []int64{1}, nil)}, "cannot be written"},
	}
	for _, c := range cases {
		dir := t.TempDir()
		err := Write(context.Background(), filepath.Join(dir, "x.gguf"), c.metadata, c.sources)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x.gguf") {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
		if entries, _ := os.ReadDir(dir); len(entries) > 0 {
			t.Errorf("%s: left behind: %v", c.name, entries)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Write(ctx, filepath.Join(t.TempDir(), "x"), nil, source(8, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The Python library reads what Write wrote.
func TestPythonReadsOurs(t *testing.T) {
	python := need.Python(t, "gguf")
	f := model(t, 6)
	metadata, sources, err := DropBlocks(f, []int{0, 2, 5})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "small.gguf")
	if err := Write(context.Background(), path, append(metadata, everything()[1:]...), sources); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", `
import sys, gguf
file = gguf.GGUFReader(sys.argv[1])
print(file.fields["tiny.block_count"].contents(), file.fields["tiny.attention.head_count_kv"].contents(), file.fields["a.string"].contents())
print(*[(str(t.name), t.tensor_type.name, [int(n) for n in t.shape], float(t.data.reshape(-1)[0])) for t in file.tensors])`, path).CombinedOutput()
	want := "3 [100, 102, 105] größer\n('token_embd.weight', 'F32', [4], 1000.0) ('blk.0.w.weight', 'F32', [2], 0.0) " +
		"('blk.1.w.weight', 'F32', [2], 2.0) ('blk.2.w.weight', 'F32', [2], 5.0)\n"
	if err != nil || string(out) != want {
		t.Errorf("%v: %s, want %s", err, out, want)
	}
}
