package engine_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"avssnative/engine"
)

// A configuration whose values are wrong in any one place is an error or another model, never a panic and never without end.
func TestHostileConfigurations(t *testing.T) {
	folders, _ := filepath.Glob("testdata/architectures/*")
	wrong := []any{nil, -1, 0, 1 << 30, "x", []any{1, "x"}}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(folder, "config.json"))
			if err != nil {
				t.Fatal(err)
			}
			config := map[string]any{}
			if err := json.Unmarshal(data, &config); err != nil {
				t.Fatal(err)
			}
			to := t.TempDir()
			weights, err := filepath.Abs(filepath.Join(folder, "model.safetensors"))
			if err == nil {
				err = os.Symlink(weights, filepath.Join(to, "model.safetensors"))
			}
			if err != nil {
				t.Fatal(err)
			}
			for key, right := range config {
				for _, value := range wrong {
					config[key] = value
					text, err := json.Marshal(config)
					if err == nil {
						err = os.WriteFile(filepath.Join(to, "config.json"), text, 0o600)
					}
					if err != nil {
						t.Fatal(err)
					}
					if m, err := engine.Open(context.Background(), to, engine.Options{Device: "reference"}); err == nil {
						m.Close()
					}
				}
				config[key] = right
			}
		})
	}
}
