package prune_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/gguf"
	"avssnative/prune"
)

// Every converted golden is written without some of its layers; Write compares the logits of the file, opened again, bit for bit.
func TestEveryGGUFReloadsShorter(t *testing.T) {
	files, _ := filepath.Glob("../engine/testdata/gguf/*.gguf")
	if len(files) == 0 {
		t.Fatal("no files in engine/testdata/gguf")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			m := open(t, file)
			for _, drop := range []engine.Drop{engine.Layers(0), engine.Layers(2), engine.Layers(0, 2)} {
				out := filepath.Join(t.TempDir(), "smaller.gguf")
				err := prune.Write(context.Background(), m, drop, out, prune.Options{})
				if strings.HasPrefix(filepath.Base(file), "llama4-") { // its layers' kinds go by their numbers
					if _, missing := os.Stat(out); err == nil || !strings.Contains(err.Error(), "which llama4 takes for another kind") || missing == nil {
						t.Errorf("without %v: error %v, file: %v", drop, err, missing)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if s := open(t, out); s.Layers() != m.Layers()-len(drop) {
					t.Errorf("%d layers, want %d", s.Layers(), m.Layers()-len(drop))
				}
			}
		})
	}
}

// What stays in a pruned file stays as it was: every tensor's bytes, every key but those that speak of single blocks.
func TestGGUFKeepsBytes(t *testing.T) {
	path := "../engine/testdata/gguf/llama-f32.gguf"
	out := filepath.Join(t.TempDir(), "smaller.gguf")
	if err := prune.Write(context.Background(), open(t, path), engine.Layers(1), out, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	before, after := openGGUF(t, path), openGGUF(t, out)
	for _, tensor := range after.Tensors() {
		old, found := before.Lookup(strings.Replace(tensor.Name, "blk.1.", "blk.2.", 1))
		if !found || old.Type != tensor.Type || !slices.Equal(old.Shape, tensor.Shape) || !bytes.Equal(old.Data, tensor.Data) {
			t.Errorf("tensor %s is not that of the dense model", tensor.Name)
		}
	}
	if blocks, _, _ := after.Integer("llama.block_count"); blocks != 2 {
		t.Errorf("%d blocks, want 2", blocks)
	}
	if got, want := len(after.Metadata()), len(before.Metadata())+1; got != want {
		t.Errorf("%d keys, want %d: those of the dense model and what was dropped", got, want)
	}
}

func openGGUF(t testing.TB, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// A GGUF file is written as one, not as a folder of safetensors.
func TestGGUFRefusesOtherFormats(t *testing.T) {
	path := "../engine/testdata/gguf/llama-f32.gguf"
	parent := t.TempDir()
	err := prune.Write(context.Background(), open(t, path), engine.Layers(1), filepath.Join(parent, "out"), prune.Options{Format: prune.FormatHF})
	if err == nil || !strings.Contains(err.Error(), "can be written as gguf") {
		t.Errorf("error %v", err)
	}
	if entries, _ := os.ReadDir(parent); len(entries) != 0 {
		t.Errorf("%d entries were left behind", len(entries))
	}
}

// A model in several parts is opened by any of them, and written in one.
func TestGGUFInParts(t *testing.T) {
	file := openGGUF(t, "../engine/testdata/gguf/llama-f32.gguf")
	folder, count := t.TempDir(), len(file.Tensors())
	var parts []string
	for part := range 3 {
		split := []gguf.KV{{Key: "split.no", Value: uint16(part)}, {Key: "split.count", Value: uint16(3)}, {Key: "split.tensors.count",
			Value: int32(count)}}
		if part == 0 {
			split = append(file.Metadata(), split...)
		}
		var tensors []gguf.Source
		for _, tensor := range file.Tensors()[part*count/3 : (part+1)*count/3] {
			tensors = append(tensors, tensor.Source(tensor.Name))
		}
		path := filepath.Join(folder, fmt.Sprintf("llama-%05d-of-00003.gguf", part+1))
		if err := gguf.Write(context.Background(), path, split, tensors); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, path)
	}
	whole := filepath.Join(t.TempDir(), "whole.gguf")
	if err := prune.Write(context.Background(), open(t, "../engine/testdata/gguf/llama-f32.gguf"), engine.Layers(1), whole,
		prune.Options{}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range parts {
		out := filepath.Join(t.TempDir(), "pruned.gguf")
		if err := prune.Write(context.Background(), open(t, path), engine.Layers(1), out, prune.Options{}); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("from %s: other bytes than from one file (%v)", filepath.Base(path), err)
		}
	}
}
