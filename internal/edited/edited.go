// Package edited makes models for tests: a folder or a GGUF file that is another one with some of its configuration and tensors changed.
package edited

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"avssnative/internal/gguf"
	"avssnative/internal/safetensors"
)

// Folder is a copy of a folder with one file of weights. change edits the configuration; tensors replace those of the same name, or are added.
func Folder(t testing.TB, folder string, change func(config map[string]any), tensors ...safetensors.Source) string {
	t.Helper()
	to := t.TempDir()
	stored, err := safetensors.Open(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	given := map[string]bool{}
	for _, tensor := range tensors {
		given[tensor.Name] = true
	}
	for _, tensor := range stored.Tensors() {
		if !given[tensor.Name] {
			tensors = append(tensors, safetensors.Bytes(tensor.Name, tensor.DType, tensor.Shape, tensor.Data))
		}
	}
	if _, err := safetensors.Write(context.Background(), to, tensors, map[string]string{"format": "pt"}, 0); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "config.json"))
	config := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if change != nil {
		change(config)
	}
	if err == nil {
		text, err = json.Marshal(config)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "config.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// GGUF is a copy of a GGUF file. keys replace entries of the metadata, are added, or (nil) taken out; tensors replace those of the same name,
// or are added.
func GGUF(t testing.TB, path string, keys map[string]any, tensors ...gguf.Source) string {
	t.Helper()
	file, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var metadata []gguf.KV
	known := map[string]bool{}
	for _, entry := range file.Metadata() {
		known[entry.Key] = true
		if value, changed := keys[entry.Key]; changed {
			entry.Value = value
		}
		if entry.Value != nil {
			metadata = append(metadata, entry)
		}
	}
	for key, value := range keys {
		if !known[key] && value != nil {
			metadata = append(metadata, gguf.KV{Key: key, Value: value})
		}
	}
	given := map[string]bool{}
	for _, tensor := range tensors {
		given[tensor.Name] = true
	}
	for _, tensor := range file.Tensors() {
		if !given[tensor.Name] {
			tensors = append(tensors, tensor.Source(tensor.Name))
		}
	}
	to := filepath.Join(t.TempDir(), "edited.gguf")
	if err := gguf.Write(context.Background(), to, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	return to
}

// WideGGUF is a llama of three layers whose matrices, but for embeddings and head, are blocks of a type: rows of 256 values, zero bytes where
// data gives none.
func WideGGUF(t testing.TB, kind gguf.Type, data func(bytes int) []byte) string {
	t.Helper()
	const hidden, heads, kvHeads, vocab = 256, 4, 2, 97
	var tensors []gguf.Source
	add := func(name string, kind gguf.Type, shape ...int64) {
		size, err := kind.Size(shape)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, gguf.Bytes(name, kind, shape, data(int(size))))
	}
	add("token_embd.weight", gguf.BF16, vocab, hidden)
	add("output.weight", gguf.BF16, vocab, hidden)
	add("output_norm.weight", gguf.F32, hidden)
	for layer := range 3 {
		name := func(rest string) string { return fmt.Sprintf("blk.%d.%s.weight", layer, rest) }
		for _, norm := range []string{"attn_norm", "ffn_norm"} {
			add(name(norm), gguf.F32, hidden)
		}
		for _, wide := range []string{"attn_q", "attn_output", "ffn_gate", "ffn_up", "ffn_down"} {
			add(name(wide), kind, hidden, hidden)
		}
		for _, narrow := range []string{"attn_k", "attn_v"} {
			add(name(narrow), kind, hidden*kvHeads/heads, hidden)
		}
	}
	metadata := []gguf.KV{
		{Key: "general.architecture", Value: "llama"}, {Key: "llama.block_count", Value: uint32(3)}, {Key: "llama.context_length", Value: uint32(64)},
		{Key: "llama.embedding_length", Value: uint32(hidden)}, {Key: "llama.feed_forward_length", Value: uint32(hidden)},
		{Key: "llama.attention.head_count", Value: uint32(heads)}, {Key: "llama.attention.head_count_kv", Value: uint32(kvHeads)},
		{Key: "llama.attention.layer_norm_rms_epsilon", Value: float32(1e-5)},
	}
	to := filepath.Join(t.TempDir(), "wide.gguf")
	if err := gguf.Write(context.Background(), to, metadata, tensors); err != nil {
		t.Fatal(err)
	}
	return to
}
