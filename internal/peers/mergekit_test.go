package peers_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/prune"
)

// mergekitFamilies are families that both mergekit and this program know, with and without ties, biases and joined projections. Those that
// transformers gives a list of layer types are not among them: on transformers 5 mergekit stops at a list that it has not cut.
var mergekitFamilies = []string{"llama", "mistral", "phi3", "olmo2", "starcoder2", "glm4", "granite", "arcee", "stablelm", "gpt2", "mixtral", "phi", "gemma"}

// mergekitWrappers are models within models, by the names of wrapped_make.py.
var mergekitWrappers = []string{"mistral3"}

// mergekitPython is a Python that has mergekit, which asks for releases of its own and so lives in an environment of its own
// (.ci/requirements-mergekit.txt). The long checks set it.
func mergekitPython(t testing.TB) string {
	python := os.Getenv("AVSSNATIVE_MERGEKIT_PYTHON")
	if python == "" {
		t.Skip("skipped: AVSSNATIVE_MERGEKIT_PYTHON, a Python with the packages of .ci/requirements-mergekit.txt, is missing")
	}
	return python
}

// What mergekit makes of a written configuration, with the fields set that the configuration says are not cut, computes what the dense model
// computes without those layers, bit for bit.
func TestMergekitMakesThePrunedModel(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads torch and transformers")
	}
	python := mergekitPython(t)
	work := t.TempDir()
	var folders []string
	for _, family := range mergekitFamilies {
		folders = append(folders, filepath.Join(need.Root(), "engine", "testdata", "architectures", family))
	}
	made := filepath.Join(work, "wrapped+of@somebody") // characters that mean something in mergekit's names of models
	if said, err := exec.Command(python, append([]string{"wrapped_make.py", made}, mergekitWrappers...)...).CombinedOutput(); err != nil {
		t.Fatalf("wrapped_make.py: %v: %s", err, said)
	}
	for _, name := range mergekitWrappers {
		folders = append(folders, filepath.Join(made, name))
	}
	drop := engine.Layers(1)
	arguments := []string{"mergekit_run.py"}
	out := func(i int) string { return filepath.Join(work, "merged", string(rune('a'+i))) }
	var recipes []string
	for i, folder := range folders {
		recipe := out(i) + ".yml"
		if err := os.MkdirAll(filepath.Dir(recipe), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := prune.Write(context.Background(), referenceModel(t, folder), drop, recipe, prune.Options{Format: prune.FormatMergekit}); err != nil {
			t.Fatal(err)
		}
		recipes = append(recipes, recipe)
		arguments = append(arguments, recipe, out(i))
	}
	command := exec.Command(python, arguments...)
	command.Env = append(os.Environ(), "HF_HUB_OFFLINE=1")
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("mergekit: %v: %s", err, said)
	}
	for i, folder := range folders {
		t.Run(filepath.Base(filepath.Dir(folder))+"/"+filepath.Base(folder), func(t *testing.T) {
			setFields(t, recipes[i], out(i))
			dense, merged := referenceModel(t, folder), referenceModel(t, out(i))
			if merged.Layers() != dense.Layers()-1 {
				t.Fatalf("%d layers of %d", merged.Layers(), dense.Layers())
			}
			want, got := firstLogits(t, dense, drop), firstLogits(t, merged, nil)
			for k := range want {
				if math.Float32bits(want[k]) != math.Float32bits(got[k]) {
					t.Fatalf("logit %d: %g, want %g", k, got[k], want[k])
				}
			}
		})
	}
}

// setFields does by hand what a recipe says that mergekit does not do.
func setFields(t *testing.T, recipe, folder string) {
	text, err := os.ReadFile(recipe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "config.json")
	data, err := os.ReadFile(path)
	var config map[string]any
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		_, field, uncut := strings.Cut(line, "set it in the config.json that it writes: ")
		if !strings.HasPrefix(line, "#") || !uncut {
			continue
		}
		key, content, _ := strings.Cut(field, ": ")
		object := config
		if within, inner, inside := strings.Cut(key, "."); inside {
			object, key = config[within].(map[string]any), inner
		}
		var value any
		if err := json.Unmarshal([]byte(content), &value); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		object[key] = value
	}
	if data, err = json.Marshal(config); err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// firstLogits are those of one short sequence.
func firstLogits(t *testing.T, m *engine.Model, drop engine.Drop) []float32 {
	var all []float32
	pass := engine.Pass{Sequences: []engine.Sequence{{IDs: []int32{5, 9, 33, 2, 71, 14, 8, 60, 22, 3}}}, Variants: []engine.Drop{drop},
		Trace: func(x engine.TraceTensor) error {
			if x.Name == "logits" {
				all = append(all, x.Values...)
			}
			return nil
		}}
	if _, err := m.Run(context.Background(), pass); err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no logits")
	}
	return all
}
