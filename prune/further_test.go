package prune_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/internal/edited"
	"avssnative/internal/gguf"
	"avssnative/internal/safetensors"
	"avssnative/prune"
)

// bytesOf is the size of all tensors of a written model, read from its files.
func bytesOf(t *testing.T, path string) (total int64, names []string) {
	t.Helper()
	if filepath.Ext(path) == ".gguf" {
		for _, tensor := range openGGUF(t, path).Tensors() {
			total, names = total+int64(len(tensor.Data)), append(names, tensor.Name)
		}
		return total, names
	}
	set, err := safetensors.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for _, tensor := range set.Tensors() {
		total, names = total+int64(len(tensor.Data)), append(names, tensor.Name)
	}
	return total, names
}

// Layers that predict further tokens are kept behind the last layer that stays, counted as before, and part of the sizes.
func TestFurtherLayersStay(t *testing.T) {
	for _, c := range []struct {
		golden string
		key    string
		count  int
	}{
		{"glm4-moe", "num_nextn_predict_layers", 1},
		{"deepseek-v3", "num_nextn_predict_layers", 2},
		{"llama", "num_nextn_predict_layers", 2}, // a family that is not known for them
		{"llama", "num_mtp_layers", 1},
		{"qwen3-next", "", 0}, // under a prefix of their own
	} {
		further := []safetensors.Source{safetensors.Bytes("mtp.layers.0.input_layernorm.weight", "F16", []int64{2}, []byte("mtp0"))}
		for i := range c.count {
			for _, rest := range []string{"eh_proj.weight", "enorm.weight", "shared_head.head.weight", "mlp.experts.0.up_proj.weight"} {
				further = append(further, safetensors.Bytes(fmt.Sprintf("model.layers.%d.%s", 3+i, rest), "F16", []int64{2}, []byte{byte(i), 1, 2, 3}))
			}
		}
		folder := edited.Folder(t, filepath.Join(architectures, c.golden), func(config map[string]any) {
			delete(config, "num_nextn_predict_layers")
			if c.key != "" {
				config[c.key] = c.count
			}
			if kinds, ok := config["layer_types"].([]any); ok { // published lists may speak of the further layers too
				config["layer_types"] = append(kinds, slices.Repeat(kinds[:1], c.count)...)
			}
		}, further...)
		m := open(t, folder)
		if m.Layers() != 3 {
			t.Fatalf("%s: %d layers, want 3", c.golden, m.Layers())
		}
		out := filepath.Join(t.TempDir(), "pruned")
		if err := prune.Write(context.Background(), m, engine.Layers(0, 1), out, prune.Options{}); err != nil {
			t.Fatal(err)
		}
		got, names := bytesOf(t, out)
		if _, want := m.Size(engine.Layers(0, 1)); got != want {
			t.Errorf("%s: %d bytes written, %d reported", c.golden, got, want)
		}
		for i := range c.count {
			if name := fmt.Sprintf("model.layers.%d.shared_head.head.weight", 1+i); !slices.Contains(names, name) {
				t.Errorf("%s: no %s among %v", c.golden, name, names)
			}
		}
		if !slices.Contains(names, "mtp.layers.0.input_layernorm.weight") {
			t.Errorf("%s: no mtp.layers.0", c.golden)
		}
		config := map[string]any{}
		text, err := os.ReadFile(filepath.Join(out, "config.json"))
		if err == nil {
			err = json.Unmarshal(text, &config)
		}
		if err != nil || config["num_hidden_layers"] != 1.0 || c.key != "" && config[c.key] != float64(c.count) {
			t.Errorf("%s: %s (%v)", c.golden, text, err)
		}
	}
}

func TestFurtherBlocksOfGGUFStay(t *testing.T) {
	for golden, arch := range map[string]string{"glm4-moe": "glm4moe", "deepseek-v3": "deepseek2"} {
		keys := map[string]any{arch + ".block_count": uint32(5), arch + ".nextn_predict_layers": uint32(2)}
		var tensors []gguf.Source
		for i := range 2 {
			for _, rest := range []string{"nextn.eh_proj.weight", "attn_norm.weight", "ffn_up_exps.weight"} {
				tensors = append(tensors, gguf.Bytes(fmt.Sprintf("blk.%d.%s", 3+i, rest), gguf.F32, []int64{1}, []byte{byte(i), 0, 0, 0}))
			}
		}
		path := edited.GGUF(t, "../engine/testdata/gguf/"+golden+"-f32.gguf", keys, tensors...)
		m := open(t, path)
		out := filepath.Join(t.TempDir(), "pruned.gguf")
		if err := prune.Write(context.Background(), m, engine.Layers(1), out, prune.Options{}); err != nil {
			t.Fatal(err)
		}
		got, names := bytesOf(t, out)
		if _, want := m.Size(engine.Layers(1)); got != want {
			t.Errorf("%s: %d bytes written, %d reported", golden, got, want)
		}
		file := openGGUF(t, out)
		blocks, _, _ := file.Integer(arch + ".block_count")
		further, _, _ := file.Integer(arch + ".nextn_predict_layers")
		if blocks != 4 || further != 2 || !slices.Contains(names, "blk.3.nextn.eh_proj.weight") {
			t.Errorf("%s: %d blocks, %d of them further: %v", golden, blocks, further, names)
		}
	}
}

// Tables that have become configuration are part of a file's size.
func TestSizesAreThoseOfTheFile(t *testing.T) {
	files, _ := filepath.Glob("../engine/testdata/gguf/*.gguf")
	for _, path := range files {
		want, _ := bytesOf(t, path)
		if _, got := open(t, path).Size(nil); got != want {
			t.Errorf("%s: %d bytes, want %d", path, got, want)
		}
	}
}
