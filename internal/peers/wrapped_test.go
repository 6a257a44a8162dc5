package peers_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/prune"
)

// The language model inside every kind of wrapper: of a small random model that transformers makes, whole and without one of its layers, we
// compute the logits that transformers computes for the same folder, given text alone; no weight is missing and none left over.
func TestTransformersLoadsEveryPrunedWrapper(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads torch and transformers")
	}
	python := need.Python(t, "torch", "transformers")
	work := t.TempDir()
	runScript(t, python, "", "wrapped_make.py", work)
	made, _ := filepath.Glob(filepath.Join(work, "*"))
	if len(made) == 0 {
		t.Fatal("no models")
	}
	folders := slices.Clone(made)
	for _, folder := range made {
		m := referenceModel(t, folder)
		if m.Spec.Within != "text_config" {
			t.Errorf("%s: the language model is read from %q, want text_config", folder, m.Spec.Within)
		}
		for name, drop := range map[string]engine.Drop{"first": engine.Layers(0), "middle": engine.Layers(1), "last": engine.Layers(2)} {
			smaller := folder + "-without-" + name
			if err := prune.Write(context.Background(), m, drop, smaller, prune.Options{}); err != nil {
				t.Error(err)
				continue
			}
			inputs, err := os.ReadFile(filepath.Join(folder, "inputs.json"))
			if err == nil {
				err = os.WriteFile(filepath.Join(smaller, "inputs.json"), inputs, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			folders = append(folders, smaller)
		}
	}
	compareWithTransformers(t, python, folders)
}
