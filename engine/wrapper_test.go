package engine_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/safetensors"
)

// wrapped is a golden inside a wrapper: its tensors behind a prefix, its configuration in text_config ("": at the top), a tower beside it.
func wrapped(t testing.TB, golden, kind, within, model, head string, change func(whole, text map[string]any)) string {
	t.Helper()
	folder, to := filepath.Join("testdata/architectures", golden), t.TempDir()
	stored, err := safetensors.Open(filepath.Join(folder, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer stored.Close()
	sources := []safetensors.Source{safetensors.Bytes("mtp.fc.weight", "F16", []int64{1}, []byte("mt"))}
	if kind != "qwen3_next" { // which is no wrapper
		sources = append(sources, safetensors.Bytes("visual.layers.0.input_layernorm.weight", "F16", []int64{3}, []byte("tower!")))
	}
	for _, tensor := range stored.Tensors() {
		name := tensor.Name
		if rest, found := strings.CutPrefix(name, "model."); found {
			name = model + rest
		} else if rest, found := strings.CutPrefix(name, "lm_head."); found {
			name = head + rest
		}
		sources = append(sources, safetensors.Bytes(name, tensor.DType, tensor.Shape, tensor.Data))
	}
	if _, err := safetensors.Write(context.Background(), to, sources, nil, 0); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(folder, "config.json"))
	text := map[string]any{}
	if err == nil {
		err = json.Unmarshal(data, &text)
	}
	whole := text
	if within != "" {
		whole = map[string]any{within: text, "vision_config": map[string]any{"num_hidden_layers": 7}}
	}
	if change != nil {
		change(whole, text)
	}
	whole["model_type"] = kind
	if err == nil {
		data, err = json.Marshal(whole)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(to, "config.json"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// A wrapper's language model is the very model that it is by itself, under every kind of names that files have.
func TestWrappers(t *testing.T) {
	for _, c := range []struct{ golden, kind, within, model, head string }{
		{"gemma3", "gemma3", "text_config", "model.language_model.", "lm_head."},
		{"gemma3", "gemma3", "text_config", "language_model.model.", "language_model.lm_head."},
		{"llama4", "llama4", "text_config", "language_model.model.", "language_model.lm_head."},
		{"mistral", "mistral3", "text_config", "language_model.model.", "language_model.lm_head."},
		{"ministral3", "mistral3", "text_config", "model.language_model.", "lm_head."},
		{"llama", "smolvlm", "text_config", "model.text_model.", "lm_head."},
		{"qwen2", "qwen2_5_vl", "", "model.", "lm_head."},
		{"qwen3-5", "qwen3_5", "text_config", "model.language_model.", "lm_head."},
		{"qwen3-next", "qwen3_next", "", "model.", "lm_head."},                   // alone, beside a layer that predicts further tokens
		{"apertus", "llava", "text_config", "model.language_model.", "lm_head."}, // reads tensors while it is built
		{"gpt-oss", "internvl", "text_config", "language_model.model.", "language_model.lm_head."},
	} {
		t.Run(c.golden+"-in-"+c.kind, func(t *testing.T) {
			alone := open(t, filepath.Join("testdata/architectures", c.golden), "reference")
			m := open(t, wrapped(t, c.golden, c.kind, c.within, c.model, c.head, nil), "reference")
			if m.Spec.Within != c.within || m.Spec.Family != alone.Spec.Family {
				t.Errorf("family %s in %q, want %s in %q", m.Spec.Family, m.Spec.Within, alone.Spec.Family, c.within)
			}
			if got, want := logitsOf(t, m), logitsOf(t, alone); !reflect.DeepEqual(got, want) {
				t.Error("other logits than by itself")
			}
		})
	}
}

// Where a text model is cut, its wrapper's other keys stay; what the text model left out is still left out, but for the number of layers.
func TestWrapperShortConfig(t *testing.T) {
	m := open(t, wrapped(t, "gemma3", "gemma3", "text_config", "model.language_model.", "lm_head.", func(whole, text map[string]any) {
		delete(text, "max_position_embeddings")
		delete(text, "rms_norm_eps")
		whole["num_hidden_layers"] = 99 // no business of the text model's
	}), "reference")
	if m.Spec.Context != 131072 {
		t.Errorf("context %d, want the class's 131072", m.Spec.Context)
	}
	short, err := m.ShortConfig([]int{0, 2})
	if err != nil {
		t.Fatal(err)
	}
	text := short["text_config"].(map[string]any)
	_, there := text["max_position_embeddings"]
	if text["num_hidden_layers"] != 2 || len(text["layer_types"].([]any)) != 2 || there || short["num_hidden_layers"].(json.Number) != "99" ||
		short["vision_config"].(map[string]any)["num_hidden_layers"].(json.Number) != "7" {
		t.Errorf("%v", short)
	}
}

func TestWrapperRefuses(t *testing.T) {
	const model, head = "model.language_model.", "lm_head."
	for name, c := range map[string]struct {
		folder string
		want   string
	}{
		"unknown wrapper":    {wrapped(t, "llama", "nonsuch", "text_config", model, head, nil), `"nonsuch": wraps a text model (llama) in a way that is not known here; known wrappers: aya_vision`},
		"no text_config":     {wrapped(t, "llama", "gemma3", "txt", model, head, nil), `text_config: missing, or empty, in a model of type "gemma3"`},
		"text_config a list": {wrapped(t, "llama", "llava", "text_config", model, head, func(w, _ map[string]any) { w["text_config"] = []int{1} }), "text_config: [1], want an object"},
		"unknown family": {wrapped(t, "llama", "llava", "text_config", model, head, func(_, text map[string]any) { text["model_type"] = "nonsuch" }),
			`"llava": its text_config.model_type "nonsuch" is an unknown architecture; known: apertus`},
		"a wrong size": {wrapped(t, "llama", "llava", "text_config", model, head, func(_, text map[string]any) { text["hidden_size"] = -1 }),
			"hidden_size: -1"},
		"quantised, a layer without tensors": {wrapped(t, "llama", "llava", "text_config", model, head, func(w, text map[string]any) {
			w["quantization_config"], text["num_hidden_layers"] = map[string]any{"quant_method": "awq"}, 4
		}), "no tensor of layer 3"},
		"other names":    {wrapped(t, "llama", "llava", "text_config", "llm.", head, nil), "no tensor embed_tokens.weight where wrappers"},
		"too few layers": {wrapped(t, "llama", "llava", "text_config", model, head, func(_, text map[string]any) { text["num_hidden_layers"] = 2 }), "model.language_model.layers.2."},
		"no head": {wrapped(t, "llama", "llava", "text_config", model, "elsewhere.", func(w, text map[string]any) { w["tie_word_embeddings"], text["tie_word_embeddings"] = false, false }),
			"lm_head.weight: missing"},
	} {
		_, err := engine.Open(context.Background(), c.folder, engine.Options{Device: "reference"})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one line that says %q", name, err, c.want)
		}
	}
}
