package prune_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/edited"
	"avssnative/internal/gguf"
	"avssnative/internal/safetensors"
	"avssnative/prune"
)

// A file of types that are only copied is pruned by a list of layers, its blocks untouched.
func TestCopiedTypesOfGGUF(t *testing.T) {
	for _, kind := range []gguf.Type{16, 17, 18, 19, 21, 22, 29, 34, 35, gguf.IQ4_NL, gguf.IQ4_XS} {
		next := byte(0)
		path := edited.WideGGUF(t, kind, func(n int) []byte {
			next++
			return bytes.Repeat([]byte{next, 0x20}, (n+1)/2)[:n]
		})
		out := filepath.Join(t.TempDir(), "pruned.gguf")
		if err := prune.Write(context.Background(), open(t, path), engine.Layers(0), out, prune.Options{}); err != nil {
			t.Errorf("%s: %v", kind, err)
			continue
		}
		before, after := openGGUF(t, path), openGGUF(t, out)
		want, _ := before.Lookup("blk.2.ffn_up.weight")
		got, found := after.Lookup("blk.1.ffn_up.weight")
		if !found || got.Type != kind || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: block 2 is not block 1 of the pruned model", kind)
		}
	}
}

// quantised is the llama golden as a method stores it: its projections under other names, in other types and shapes.
func quantised(t *testing.T, config map[string]any, parts map[string]string) string {
	t.Helper()
	from := architectures + "/llama"
	stored, err := safetensors.Open(from + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	to := t.TempDir()
	var sources []safetensors.Source
	for _, tensor := range stored.Tensors() {
		module, isWeight := strings.CutSuffix(tensor.Name, ".weight")
		if !isWeight || !strings.Contains(tensor.Name, "_proj") {
			sources = append(sources, safetensors.Bytes(tensor.Name, tensor.DType, tensor.Shape, tensor.Data))
			continue
		}
		for ending, dtype := range parts {
			sources = append(sources, safetensors.Bytes(module+ending, dtype, []int64{2, 1},
				[]byte(tensor.Name + ending)[len(tensor.Name+ending)-8:][:map[string]int{"I32": 8, "U32": 8, "U8": 2, "F32": 8, "F16": 4, "I8": 2}[dtype]]))
		}
	}
	if _, err := safetensors.Write(context.Background(), to, sources, nil, 0); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(from + "/config.json")
	values := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &values)
	}
	for key, value := range config {
		values[key] = value
	}
	if err == nil {
		text, err = json.Marshal(values)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "config.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// Folders that other methods quantised lose the layers named, and nothing else changes; what is to be computed is refused in one line.
func TestCopiedFolders(t *testing.T) {
	for _, c := range []struct {
		name   string
		config map[string]any
		parts  map[string]string
	}{
		{"gptq", map[string]any{"quantization_config": map[string]any{"quant_method": "gptq", "bits": 4}},
			map[string]string{".qweight": "I32", ".qzeros": "I32", ".scales": "F16", ".g_idx": "I32"}},
		{"awq", map[string]any{"quantization_config": map[string]any{"quant_method": "awq"}}, map[string]string{".qweight": "I32",
			".qzeros": "I32", ".scales": "F16"}},
		{"bitsandbytes", map[string]any{"quantization_config": map[string]any{"quant_method": "bitsandbytes", "load_in_4bit": true}},
			map[string]string{".weight": "U8", ".weight.absmax": "F32", ".weight.quant_map": "F32", ".weight.quant_state.bitsandbytes__nf4": "U8"}},
		{"bitsandbytes", map[string]any{"quantization_config": map[string]any{"quant_method": "bitsandbytes", "load_in_8bit": true}},
			map[string]string{".weight": "I8", ".SCB": "F32"}},
		{"mlx", map[string]any{"quantization": map[string]any{"group_size": 64, "bits": 4},
			"quantization_config": map[string]any{"group_size": 64, "bits": 4}},
			map[string]string{".weight": "U32", ".scales": "F16", ".biases": "F16"}},
		{"compressed-tensors", map[string]any{"quantization_config": map[string]any{"quant_method": "compressed-tensors", "format": "pack-quantized"}},
			map[string]string{".weight_packed": "I32", ".weight_scale": "F16", ".weight_shape": "I32"}},
		{"hqq", map[string]any{"quantization_config": map[string]any{"quant_method": "hqq"}}, map[string]string{".W_q": "U8", ".meta": "F16"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := open(t, quantised(t, c.config, c.parts))
			out := filepath.Join(t.TempDir(), "pruned")
			if err := prune.Write(context.Background(), m, engine.Layers(0), out, prune.Options{}); err != nil {
				t.Fatal(err)
			}
			s := open(t, out)
			for ending := range c.parts {
				want, _ := m.Tensors.Lookup("model.layers.2.mlp.up_proj" + ending)
				got, found := s.Tensors.Lookup("model.layers.1.mlp.up_proj" + ending)
				if !found || got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
					t.Errorf("%s: layer 2 is not layer 1 of the pruned model", ending)
				}
			}
			_, err := m.Run(context.Background(), engine.Pass{Sequences: []engine.Sequence{{IDs: []int32{1, 2}}}})
			if err == nil || !strings.Contains(err.Error(), "copied, not computed: prune --drop LIST") || strings.Contains(err.Error(), "\n") {
				t.Errorf("scored: %v", err)
			}
		})
	}
}

// What a configuration says of single modules follows them to their new numbers.
func TestQuantisationConfigIsRenumbered(t *testing.T) {
	m := open(t, quantised(t, map[string]any{"quantization_config": map[string]any{
		"quant_method": "awq", "modules_to_not_convert": []any{"lm_head", "model.layers.0.mlp.gate", "model.layers.2", "layers.2.mlp",
			"vision_tower.layers.2.mlp", "re:.*lm_head"},
		"modules": map[string]any{"model.layers.1.mlp.up_proj": map[string]any{"bits": 8}, "model.layers.0.mlp.up_proj": map[string]any{"bits": 8}},
	}}, map[string]string{".qweight": "I32"}))
	short, err := m.ShortConfig([]int{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(short["quantization_config"])
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"quant_method": "awq", "modules_to_not_convert": []any{"lm_head", "model.layers.1", "layers.1.mlp",
		"vision_tower.layers.2.mlp", "re:.*lm_head"},
		"modules": map[string]any{"model.layers.0.mlp.up_proj": map[string]any{"bits": 8.0}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s", text)
	}
	m = open(t, quantised(t, map[string]any{"quantization_config": map[string]any{"quant_method": "gptq",
		"dynamic": map[string]any{`-:model\.layers\.1\..*`: map[string]any{}}}},
		map[string]string{".qweight": "I32"}))
	if _, err := m.ShortConfig([]int{1, 2}); err == nil || !strings.Contains(err.Error(), "by a pattern") {
		t.Errorf("a pattern: %v", err)
	}
}

// Pruned models of scaled weights keep codes and scales as they are stored; Write compares their logits.
func TestScaledFolders(t *testing.T) {
	const name = "model.layers.2.mlp.up_proj.weight"
	stored, _ := open(t, architectures+"/llama").Tensors.Lookup(name)
	rows, cols := int64(stored.Shape[0]), int64(stored.Shape[1])
	codes := bytes.Repeat([]byte{0x38, 0xb0, 0x21, 0x05}, int(rows*cols)/4)
	scale := bytes.Repeat([]byte{0, 0, 0, 0x3d}, int(rows))
	folder := edited.Folder(t, architectures+"/llama", func(config map[string]any) {
		config["quantization_config"] = map[string]any{"quant_method": "compressed-tensors", "ignore": []any{"model.layers.0.mlp.up_proj",
			"model.layers.1.mlp.up_proj", "lm_head"}}
	}, safetensors.Bytes(name, "F8_E4M3", []int64{rows, cols}, codes), safetensors.Bytes(name+"_scale", "F32", []int64{rows, 1}, scale))
	out := filepath.Join(t.TempDir(), "pruned")
	if err := prune.Write(context.Background(), open(t, folder), engine.Layers(0), out, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	got, _ := open(t, out).Tensors.Lookup("model.layers.1.mlp.up_proj.weight")
	kept, _ := open(t, out).Tensors.Lookup("model.layers.1.mlp.up_proj.weight_scale")
	if got.Type != "F8_E4M3" || !bytes.Equal(got.Data, codes) || !bytes.Equal(kept.Data, scale) {
		t.Errorf("%s and %d bytes of scales", got.Type, len(kept.Data))
	}
}

// Pickles are named as what they are, with the way out, in one line.
func TestPickles(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{"config.json": `{"model_type": "llama"}`, "model.pt": "x", "pytorch_model-00001-of-00002.bin": "x"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{folder, filepath.Join(folder, "model.pt"), filepath.Join(folder, "pytorch_model-00001-of-00002.bin")} {
		_, err := engine.Open(context.Background(), path, engine.Options{})
		if err == nil || !strings.Contains(err.Error(), "pickle") || !strings.Contains(err.Error(), "save_pretrained") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
