package gguf

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func floats(values ...float32) []byte {
	var data []byte
	for _, value := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(value))
	}
	return data
}

// model is an open file of the made-up architecture tiny: block b holds the numbers b and b+1. extra is added to the metadata.
func model(t *testing.T, blocks int, extra ...KV) *File {
	t.Helper()
	heads, windows, names := []uint32{}, []bool{}, []string{}
	sources := []Source{Bytes("token_embd.weight", F32, []int64{4}, floats(1000, 1, 2, 3))}
	for b := range blocks {
		heads, windows, names = append(heads, uint32(100+b)), append(windows, b%3 == 0), append(names, fmt.Sprint(b))
		sources = append(sources, Bytes(fmt.Sprintf("blk.%d.w.weight", b), F32, []int64{2}, floats(float32(b), float32(b+1))))
	}
	arch := "tiny"
	for _, entry := range extra {
		if first, _, _ := strings.Cut(entry.Key, "."); first != "tiny" {
			arch = first
		}
	}
	metadata := append([]KV{
		{"general.architecture", arch}, {"general.tags", names}, {arch + ".block_count", uint32(blocks)}, {arch + ".context_length", uint32(blocks)},
		{arch + ".attention.head_count_kv", heads}, {arch + ".windows", windows}, {arch + ".rope.dimension_sections", heads},
		{"tokenizer.ggml.tokens", names},
	}, extra...)
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := Write(context.Background(), path, metadata, sources); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestDropBlocks(t *testing.T) {
	f := model(t, 6, KV{"tiny.leading_dense_block_count", int32(3)}, KV{"tiny.nextn_predict_layers", uint64(1)}, KV{"tiny.other", []int8{1, 2}})
	metadata, sources, err := DropBlocks(f, []int{0, 2, 3, 5})
	if err != nil {
		t.Fatal(err)
	}
	six, four := []string{"0", "1", "2", "3", "4", "5"}, []uint32{100, 102, 103, 105}
	if diff := cmp.Diff([]KV{
		{"general.architecture", "tiny"}, {"general.tags", six}, {"tiny.block_count", uint32(4)}, {"tiny.context_length", uint32(6)},
		{"tiny.attention.head_count_kv", four}, {"tiny.windows", []bool{true, false, true, false}},
		{"tiny.rope.dimension_sections", []uint32{100, 101, 102, 103, 104, 105}}, {"tokenizer.ggml.tokens", six},
		{"tiny.leading_dense_block_count", int32(2)}, {"tiny.nextn_predict_layers", uint64(1)}, {"tiny.other", []int8{1, 2}},
	}, metadata); diff != "" {
		t.Error(diff)
	}
	path := filepath.Join(t.TempDir(), "small.gguf")
	if err := Write(context.Background(), path, metadata, sources); err != nil {
		t.Fatal(err)
	}
	small, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	var names []string
	for _, tensor := range small.Tensors() {
		names = append(names, tensor.Name)
	}
	if diff := cmp.Diff([]string{"token_embd.weight", "blk.0.w.weight", "blk.1.w.weight", "blk.2.w.weight", "blk.3.w.weight"}, names); diff != "" {
		t.Error(diff)
	}
	for at, block := range []float32{0, 2, 3, 5} {
		if diff := cmp.Diff(floats(block, block+1), small.Tensors()[at+1].Data); diff != "" {
			t.Errorf("block %d: %s", at, diff)
		}
	}
	// The original file is as it was.
	if value, _, _ := f.Integer("tiny.block_count"); value != 6 {
		t.Errorf("the original has %d blocks now", value)
	}
}

func TestDropBlocksErrors(t *testing.T) {
	shared := KV{"tiny.attention.shared_kv_layers", uint32(2)}
	cases := []struct {
		name  string
		extra []KV
		kept  []int
		want  string
	}{
		{"none", nil, nil, "no block kept"},
		{"descending", nil, []int{2, 1}, "want ascending numbers from 0 to 5"},
		{"twice", nil, []int{1, 1}, "want ascending"},
		{"negative", nil, []int{-1}, "want ascending"},
		{"too large", nil, []int{6}, "want ascending"},
		{"period by architecture", []KV{{"smollm3.x", true}}, []int{0, 2, 3}, "block 3 would become block 2"},
		{"rope by number though windows are listed", []KV{{"afmoe.attention.sliding_window_pattern", []bool{true, true, true, false, true, true}}},
			[]int{0, 2, 3}, "block 3 would become block 2"},
		{"experts, the second of each", []KV{{"nomic-bert-moe.moe_every_n_layers", uint32(3)}}, []int{0, 2}, "block 2 would become block 1"},
		{"period by key", []KV{{"tiny.full_attention_interval", uint32(3)}}, []int{0, 1, 3, 4}, "every 3. block differs"},
		{"shared", []KV{shared}, []int{0, 2, 3, 4, 5}, "share keys and values"},
		{"leading no number", []KV{{"tiny.leading_dense_block_count", "x"}}, []int{0}, "want a number of blocks"},
	}
	for _, c := range cases {
		_, _, err := DropBlocks(model(t, 6, c.extra...), c.kept)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func TestDropBlocksKeepsKinds(t *testing.T) {
	cases := []struct {
		name  string
		extra []KV
		kept  []int
	}{
		{"gemma3 without windows", []KV{{"gemma3.x", true}}, []int{1, 4}},
		{"a recurrent list", []KV{{"qwen3next.attention.recurrent_layers", []bool{true, true, true, false, true, true}}}, []int{3, 4}},
		{"experts in all", []KV{{"ernie4_5-moe.interleave_moe_layer_step", uint32(1)}}, []int{1, 4}},
		{"pairs of gemma2", []KV{{"gemma2.x", true}}, []int{0, 1, 4, 5}},
		{"gemma2, kinds written", []KV{{"gemma2.attention.sliding_window_pattern", []bool{true, false, true, false, true, false}}}, []int{1, 2}},
		{"exaone4 without windows", []KV{{"exaone4.x", true}}, []int{1, 4}},
		{"whole interval", []KV{{"tiny.full_attention_interval", uint32(3)}}, []int{0, 1, 5}},
		{"all", []KV{{"tiny.attention.shared_kv_layers", uint32(2)}}, []int{0, 1, 2, 3, 4, 5}},
	}
	for _, c := range cases {
		if _, _, err := DropBlocks(model(t, 6, c.extra...), c.kept); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestDropBlocksOfOddFiles(t *testing.T) {
	tensor := func(names ...string) (list []Source) {
		for _, name := range names {
			list = append(list, Bytes(name, F32, []int64{1}, floats(1)))
		}
		return list
	}
	arch, two := KV{"general.architecture", "x"}, KV{"x.block_count", uint32(2)}
	cases := []struct {
		name     string
		metadata []KV
		sources  []Source
		want     string
	}{
		{"no architecture", []KV{two}, tensor("a", "b"), "general.architecture is no text or missing"},
		{"no count", []KV{arch}, tensor("a", "b"), "block_count is no integer or missing"},
		{"count is text", []KV{arch, {"x.block_count", "2"}}, tensor("a", "b"), "block_count is no integer"},
		{"absurd count", []KV{arch, {"x.block_count", uint64(1 << 60)}}, tensor("a", "b"), "in a file of 2 tensors"},
		{"zero blocks", []KV{arch, {"x.block_count", uint64(0)}}, tensor("a", "b"), "block_count is 0"},
		{"block beyond", []KV{arch, two}, tensor("blk.0.a", "blk.2.a"), `tensor "blk.2.a": want blk.N`},
		{"leading zero", []KV{arch, two}, tensor("blk.0.a", "blk.01.a"), `tensor "blk.01.a": want blk.N`},
		{"no number", []KV{arch, two}, tensor("blk.0.a", "blk.x.a"), `tensor "blk.x.a": want blk.N`},
		{"no name", []KV{arch, two}, tensor("blk.0.a", "blk.1"), `tensor "blk.1": want blk.N`},
		{"two stacks", []KV{arch, two}, tensor("enc.blk.0.a", "dec.blk.0.a"), "several stacks"},
	}
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "x.gguf")
		if err := Write(context.Background(), path, c.metadata, c.sources); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = DropBlocks(f, []int{0, 1})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
		f.Close()
	}
}

// Where llama.cpp reads a list, the kinds that blocks have by number are written into it.
func TestDropBlocksWritesKinds(t *testing.T) {
	cases := []struct {
		name  string
		extra []KV
		kept  []int
		key   string
		want  []bool
	}{
		{"gemma2", []KV{{"gemma2.x", true}}, []int{0, 2, 3}, "gemma2.attention.sliding_window_pattern", []bool{true, true, false}},
		{"gemma3", []KV{{"gemma3.attention.sliding_window", uint32(8)}}, []int{4, 5}, "gemma3.attention.sliding_window_pattern", []bool{true, false}},
		{"modern-bert's period", []KV{{"modern-bert.attention.sliding_window", uint32(8)}, {"modern-bert.attention.sliding_window_pattern", uint32(2)}},
			[]int{1, 2}, "modern-bert.attention.sliding_window_pattern", []bool{true, false}},
		{"qwen3next", []KV{{"qwen3next.full_attention_interval", uint32(3)}}, []int{2, 3}, "qwen3next.attention.recurrent_layers", []bool{false, true}},
	}
	for _, c := range cases {
		metadata, _, err := DropBlocks(model(t, 6, c.extra...), c.kept)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var found []any
		for _, entry := range metadata {
			if entry.Key == c.key {
				found = append(found, entry.Value)
			}
		}
		if diff := cmp.Diff([]any{c.want}, found); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

// Some numbers of blocks mean a published model with arithmetic of its own.
func TestDropBlocksKnowsCounts(t *testing.T) {
	all := func(n int) []int {
		kept := make([]int, n)
		for i := range kept {
			kept[i] = i
		}
		return kept
	}
	wide := []KV{{"gemma2.embedding_length", uint32(4608)}, {"gemma2.attention.head_count", uint32(32)}, {"gemma2.attention.key_length", uint32(128)}}
	same := []KV{{"gemma3.embedding_length", uint32(4096)}, {"gemma3.attention.head_count", uint32(32)}, {"gemma3.attention.key_length", uint32(128)}}
	cases := []struct {
		name   string
		extra  []KV
		blocks int
		kept   int
		refuse bool
	}{
		{"leave exaone4's", []KV{{"exaone4.x", true}}, 64, 60, true},
		{"stay away from it", []KV{{"exaone4.x", true}}, 63, 60, false},
		{"enter baichuan's", []KV{{"baichuan.x", true}}, 40, 32, true},
		{"gemma2 27B", wide, 46, 40, true},
		{"gemma3, both scales the same", same, 62, 60, false},
		{"deepseek2 lite", []KV{{"deepseek2.x", true}}, 27, 25, true},
		{"deepseek2, lite to lite", []KV{{"deepseek2.x", true}}, 27, 26, false},
		{"deepseek2, 48 of another vocabulary", []KV{{"deepseek2.x", true}}, 60, 48, false},
		{"deepseek2, 48 of that vocabulary", []KV{{"deepseek2.vocab_size", uint32(128256)}}, 48, 40, true},
	}
	for _, c := range cases {
		_, _, err := DropBlocks(model(t, c.blocks, c.extra...), all(c.kept))
		if refused := err != nil && strings.Contains(err.Error(), "by the number of blocks"); refused != c.refuse || err != nil && !refused {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}
