package peers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/prune"
)

// A smaller model of every architecture, written by us, is loaded by transformers, with no weight missing and none left over, and
// computes what we compute from the same folder. Both compute in float64; transformers takes norms and rotary angles in float32, and the
// delta rule wholly. The error is relative to the logits' root mean square.
func TestTransformersLoadsEveryPrunedArchitecture(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads torch and transformers")
	}
	python := need.Python(t, "torch", "transformers")
	goldens, _ := filepath.Glob(filepath.Join(need.Root(), "engine", "testdata", "architectures", "*"))
	if len(goldens) == 0 {
		t.Fatal("no goldens")
	}
	work := t.TempDir()
	var folders []string
	for _, golden := range goldens {
		if base := filepath.Base(golden); base == "stablelm-alpha" || base == "nemotron-nas" {
			continue // transformers does not know these
		}
		m := referenceModel(t, golden)
		for name, drop := range map[string]engine.Drop{"first": engine.Layers(0), "middle": engine.Layers(1), "last": engine.Layers(2)} {
			folder := filepath.Join(work, filepath.Base(golden)+"-without-"+name)
			if err := prune.Write(context.Background(), m, drop, folder, prune.Options{}); err != nil {
				t.Fatal(err)
			}
			inputs, err := os.ReadFile(filepath.Join(golden, "inputs.json"))
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, "inputs.json"), inputs, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			folders = append(folders, folder)
		}
	}
	compareWithTransformers(t, python, folders)
}

// compareWithTransformers runs transformers_logits.py over folders and holds each answer against what we compute from the same folder.
func compareWithTransformers(t *testing.T, python string, folders []string) {
	t.Helper()
	out := runScript(t, python, "", "transformers_logits.py", folders...)
	answers := json.NewDecoder(bytes.NewReader(out))
	for range folders {
		var a transformersAnswer
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(a.Folder), func(t *testing.T) { a.compare(t) })
	}
}

// transformersAnswer is a line of transformers_logits.py.
type transformersAnswer struct {
	Folder, Error                   string
	Missing, Unexpected, Mismatched []string
	Logits                          [][]float64
}

func (a *transformersAnswer) compare(t *testing.T) {
	if a.Error != "" {
		t.Fatal(a.Error)
	}
	if len(a.Missing)+len(a.Unexpected)+len(a.Mismatched) > 0 {
		t.Errorf("missing %v, unexpected %v, mismatched %v", a.Missing, a.Unexpected, a.Mismatched)
	}
	m := referenceModel(t, a.Folder)
	allowed := 1e-5
	if strings.HasPrefix(m.Spec.Family, "qwen3_next") || strings.HasPrefix(m.Spec.Family, "qwen3_5") {
		allowed = 1e-4
	}
	var in struct{ Sequences [][]int32 }
	data, err := os.ReadFile(filepath.Join(a.Folder, "inputs.json"))
	if err == nil {
		err = json.Unmarshal(data, &in)
	}
	if err != nil || len(in.Sequences) != len(a.Logits) {
		t.Fatalf("%d sequences, %d answers: %v", len(in.Sequences), len(a.Logits), err)
	}
	pass, worst := engine.Pass{}, 0.0
	for _, ids := range in.Sequences {
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: ids})
	}
	pass.Trace = func(tensor engine.TraceTensor) error {
		if tensor.Name != "logits" {
			return nil
		}
		want := a.Logits[tensor.Sequence]
		if len(want) != len(tensor.Values) {
			t.Fatalf("sequence %d: %d logits, transformers has %d", tensor.Sequence, len(tensor.Values), len(want))
		}
		// transformers leaves the text model's factor on logits out where a wrapper has the head (Cohere 2's, Granite's); the language model
		// was trained with it, so we do not.
		scale, square := 1.0, 0.0
		if s := m.Spec.Head.Scale; m.Spec.Within != "" && s != 0 {
			scale = float64(s)
		}
		for i := range want {
			want[i] *= scale
			square += want[i] * want[i]
		}
		for i, v := range want {
			worst = max(worst, math.Abs(float64(tensor.Values[i])-v)/math.Sqrt(square/float64(len(want))))
		}
		return nil
	}
	if _, err := m.Run(context.Background(), pass); err != nil {
		t.Fatal(err)
	}
	if !(worst <= allowed) {
		t.Errorf("off by %.2g of the root mean square, allowed %.2g", worst, allowed)
	}
	t.Logf("largest error %.2g of the root mean square", worst)
}

func referenceModel(t testing.TB, folder string) *engine.Model {
	t.Helper()
	m, err := engine.Open(context.Background(), folder, engine.Options{Device: "reference"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}
