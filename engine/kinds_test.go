package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"avssnative/engine"
	"avssnative/failure"
)

// What a caller branches on is said by the kind of an error, whatever its words are.
func TestKindsOfErrors(t *testing.T) {
	demo := demoFolder(t)
	folder := func(files map[string]string) string {
		dir := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	weights, err := os.ReadFile(filepath.Join(demo, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(demo, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ref    string
		device string
		kind   failure.Kind
	}{
		"no folder":    {"/no/such/model", "", failure.NotFound},
		"no name":      {"no such model", "", failure.NotFound},
		"no config":    {folder(nil), "", failure.NotFound},
		"no weights":   {folder(map[string]string{"config.json": "{}"}), "", failure.NotFound},
		"another file": {filepath.Join(demo, "config.json"), "", failure.Unsupported},
		"a pickle":     {folder(map[string]string{"config.json": "{}", "pytorch_model.bin": ""}), "", failure.Unsupported},
		"unknown family": {folder(map[string]string{"config.json": `{"model_type": "x"}`, "model.safetensors": string(weights)}), "",
			failure.Unsupported},
		"config is no JSON": {folder(map[string]string{"config.json": "{", "model.safetensors": string(weights)}), "", failure.Corrupt},
		"config lacks sizes": {folder(map[string]string{"config.json": `{"model_type": "llama"}`, "model.safetensors": string(weights)}), "",
			failure.Corrupt},
		"weights cut":         {folder(map[string]string{"config.json": string(config), "model.safetensors": string(weights[:5000])}), "", failure.Corrupt},
		"GGUF cut":            {filepath.Join(folder(map[string]string{"x.gguf": "GGUF"}), "x.gguf"), "", failure.Corrupt},
		"GGUF of version 9":   {filepath.Join(folder(map[string]string{"x.gguf": "GGUF\x09\x00\x00\x00"}), "x.gguf"), "", failure.Unsupported},
		"unknown device":      {"demo", "tpu", failure.NotFound},
		"unknown device's no": {"demo", "tpu:0", failure.NotFound},
	} {
		m, err := engine.Open(t.Context(), c.ref, engine.Options{Device: c.device})
		if err == nil {
			_, err = m.Device()
			m.Close()
		}
		for _, kind := range []failure.Kind{failure.NotFound, failure.Unsupported, failure.Corrupt, failure.Memory} {
			if errors.Is(err, kind) != (kind == c.kind) {
				t.Errorf("%s: %v: is %q, want %q", name, err, kind, c.kind)
			}
		}
	}
	m := open(t, "demo", "cpu")
	if _, err := m.Run(t.Context(), engine.Pass{Sequences: []engine.Sequence{{IDs: []int32{1}}},
		Variants: []engine.Drop{engine.Layers(99)}}); !errors.Is(err, failure.NotFound) {
		t.Errorf("a layer that is not there: %v", err)
	}
	if _, err := m.NewDecoder(engine.DecoderOptions{Memory: 1000}); !errors.Is(err, failure.Memory) {
		t.Errorf("a cache larger than allowed: %v", err)
	}
}

// demoFolder is where the demo's files lie.
func demoFolder(t *testing.T) string {
	m := open(t, "demo", "cpu")
	return m.Folder
}
