package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/gguf"
)

// rewritten is the converted llama golden with some keys replaced, added or (nil) left out, and tensors dropped by name.
func rewritten(t testing.TB, keys map[string]any, without ...string) string {
	t.Helper()
	file, err := gguf.Open("testdata/gguf/llama-f32.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var metadata []gguf.KV
	for _, entry := range file.Metadata() {
		value, changed := keys[entry.Key]
		switch {
		case !changed:
			metadata = append(metadata, entry)
		case value != nil:
			metadata = append(metadata, gguf.KV{Key: entry.Key, Value: value})
		}
	}
	for key, value := range keys {
		if !slices.ContainsFunc(file.Metadata(), func(e gguf.KV) bool { return e.Key == key }) && value != nil {
			metadata = append(metadata, gguf.KV{Key: key, Value: value})
		}
	}
	var tensors []gguf.Source
	for _, tensor := range file.Tensors() {
		if !slices.Contains(without, tensor.Name) {
			tensors = append(tensors, tensor.Source(tensor.Name))
		}
	}
	path := filepath.Join(t.TempDir(), "hostile.gguf")
	if err := gguf.Write(context.Background(), path, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	return path
}

// allocated is how many bytes a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestGGUFRefuses(t *testing.T) {
	huge := uint32(1<<32 - 1)
	cases := []struct {
		name    string
		keys    map[string]any
		without []string
		want    string
	}{
		{"unknown architecture", map[string]any{"general.architecture": "nonsuch"}, nil, `"nonsuch": unknown architecture; known in GGUF files: apertus`},
		{"architecture of a wrong type", map[string]any{"general.architecture": uint8(3)}, nil, "general.architecture: missing or no text"},
		{"no architecture", map[string]any{"general.architecture": nil}, nil, "general.architecture: missing"},
		{"a part", map[string]any{"split.count": uint16(3)}, nil, "one of 3 parts"},
		{"no blocks", map[string]any{"llama.block_count": nil}, nil, "llama.block_count: missing"},
		{"zero blocks", map[string]any{"llama.block_count": uint32(0)}, nil, "llama.block_count: 0, want 1 to"},
		{"absurd blocks", map[string]any{"llama.block_count": uint32(1 << 28)}, nil, "in a file of 30 tensors"},
		{"more blocks than 31 bits", map[string]any{"llama.block_count": huge}, nil, "want a whole number below 2^31"},
		{"fewer blocks than stored", map[string]any{"llama.block_count": uint32(2)}, nil, "want blk.N.… with N below 2"},
		{"more blocks than stored", map[string]any{"llama.block_count": uint32(4)}, nil, "model.layers.3.input_layernorm.weight: missing"},
		{"blocks as text", map[string]any{"llama.block_count": "3"}, nil, "llama.block_count: 3 (string), want a whole number"},
		{"negative heads", map[string]any{"llama.attention.head_count": int32(-4)}, nil, "llama.attention.head_count: -4"},
		{"absurd heads", map[string]any{"llama.attention.head_count": uint32(1 << 30)}, nil, "want 1 to 4096"},
		{"heads that differ", map[string]any{"llama.attention.head_count": []uint32{4, 2, 4}}, nil, "blocks of different sizes are not supported"},
		{"an empty list", map[string]any{"llama.attention.head_count": []uint32{}}, nil, "an empty list"},
		{"no groups of heads", map[string]any{"llama.attention.head_count_kv": uint32(3)}, nil, "whole groups of heads"},
		{"absurd head size", map[string]any{"llama.attention.key_length": uint32(1 << 31)}, nil, "want a whole number below 2^31"},
		{"other width", map[string]any{"llama.embedding_length": uint32(64)}, nil, "rows of 32"},
		{"no context", map[string]any{"llama.context_length": nil}, nil, "llama.context_length: missing"},
		{"no epsilon", map[string]any{"llama.attention.layer_norm_rms_epsilon": nil}, nil, "layer_norm_rms_epsilon: missing"},
		{"epsilon as text", map[string]any{"llama.attention.layer_norm_rms_epsilon": "1"}, nil, "want a number"},
		{"rope beyond the head", map[string]any{"llama.rope.dimension_count": uint32(16)}, nil, "16 of heads of 8"},
		{"unknown scaling", map[string]any{"llama.rope.scaling.type": "spiral"}, nil, `"spiral" is not known here; known: none, linear, yarn, longrope`},
		{"yarn without factor", map[string]any{"llama.rope.scaling.type": "yarn"}, nil, "want a number above 0 for yarn"},
		{"longrope without factors", map[string]any{"llama.rope.scaling.type": "longrope"}, nil,
			"rope_factors_long.weight or rope_factors_short.weight: missing"},
		{"absurd experts", map[string]any{"llama.expert_count": uint32(1 << 30)}, nil, "want at most 4096"},
		{"experts that are not stored", map[string]any{"llama.expert_count": uint32(8), "llama.expert_used_count": uint32(2)}, nil, "arch: model"},
		{"no embedding", nil, []string{"token_embd.weight"}, "token_embd.weight: missing"},
		{"no norm", nil, []string{"blk.1.attn_norm.weight"}, "model.layers.1.input_layernorm.weight: missing"},
	}
	for _, c := range cases {
		path := rewritten(t, c.keys, c.without...)
		var err error
		if bytes := allocated(func() { _, err = engine.Open(context.Background(), path, engine.Options{Device: "reference"}) }); bytes > 16<<20 {
			t.Errorf("%s: %d bytes allocated", c.name, bytes)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line that says %q", c.name, err, c.want)
		}
	}
}

// FuzzOpenGGUF opens files whose bytes are anything: changed ones of every family here. What opens must also run.
func FuzzOpenGGUF(f *testing.F) {
	files, _ := filepath.Glob("testdata/gguf/*-f32.gguf")
	var goldens [][]byte
	for i, file := range files {
		golden, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		goldens = append(goldens, golden)
		f.Add(byte(i), golden[:4096], uint16(300), byte(255))
	}
	f.Add(byte(0), []byte("GGUF\x03\x00\x00\x00"), uint16(1), byte(1))
	f.Fuzz(func(t *testing.T, which byte, head []byte, at uint16, change byte) {
		// The data behind the header stays, so that a changed header is what is tried.
		data := slices.Clone(goldens[int(which)%len(goldens)])
		copy(data, head)
		data[int(at)%len(data)] ^= change
		path := filepath.Join(t.TempDir(), "x.gguf")
		err := os.WriteFile(path, data, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		var m *engine.Model
		if bytes := allocated(func() { m, err = engine.Open(context.Background(), path, engine.Options{Device: "reference"}) }); bytes > 64<<20 {
			t.Fatalf("%d bytes allocated for a file of %d", bytes, len(data))
		}
		if err != nil {
			return
		}
		defer m.Close()
		_, _ = m.Run(context.Background(), engine.Pass{Sequences: []engine.Sequence{{IDs: []int32{0}}}})
	})
}
