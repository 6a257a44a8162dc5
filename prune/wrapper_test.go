package prune_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/safetensors"
	"avssnative/prune"
)

// Of a model that sees, only its text model is cut: the tower's tensors are the same bytes, its configuration and its files are as they were.
func TestWriteWrapper(t *testing.T) {
	folder := t.TempDir()
	stored, err := safetensors.Open(architectures + "/gemma3/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	tower := map[string][]byte{"vision_tower.layers.1.weight": []byte("the tower's"), "multi_modal_projector.weight": []byte("projector")}
	var sources []safetensors.Source
	for name, data := range tower {
		sources = append(sources, safetensors.Bytes(name, "U8", []int64{int64(len(data))}, data))
	}
	for _, tensor := range stored.Tensors() {
		sources = append(sources, safetensors.Bytes(strings.Replace(tensor.Name, "model.", "language_model.model.", 1), tensor.DType, tensor.Shape, tensor.Data))
	}
	if _, err := safetensors.Write(context.Background(), folder, sources, nil, 0); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(architectures + "/gemma3/config.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"config.json":              `{"model_type": "gemma3", "vision_config": {"num_hidden_layers": 27}, "mm_tokens_per_image": 256, "text_config": ` + string(text) + "}",
		"preprocessor_config.json": `{"size": 896}`, "processor_config.json": `{"image_seq_length": 256}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "smaller")
	if err := prune.Write(context.Background(), open(t, folder), engine.Layers(1), out, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	s := open(t, out)
	if s.Layers() != 2 || s.Spec.Family != "gemma3_text" || s.Spec.Within != "text_config" {
		t.Errorf("%d layers of %s in %q", s.Layers(), s.Spec.Family, s.Spec.Within)
	}
	for name, data := range tower {
		if copied, found := s.Tensors.Lookup(name); !found || !bytes.Equal(copied.Data, data) {
			t.Errorf("%s: %q", name, copied.Data)
		}
	}
	var config struct {
		Text   struct{ Num_hidden_layers int } `json:"text_config"`
		Vision struct{ Num_hidden_layers int } `json:"vision_config"`
		Layers *int                            `json:"num_hidden_layers"`
	}
	written, err := os.ReadFile(filepath.Join(out, "config.json"))
	if err == nil {
		err = json.Unmarshal(written, &config)
	}
	if err != nil || config.Text.Num_hidden_layers != 2 || config.Vision.Num_hidden_layers != 27 || config.Layers != nil {
		t.Errorf("%v: %s", err, written)
	}
	for _, name := range []string{"preprocessor_config.json", "processor_config.json"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
}
