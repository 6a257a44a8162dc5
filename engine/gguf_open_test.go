package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/internal/need"
	"avssnative/internal/safetensors"
)

// traced runs a model over sequences and returns every traced tensor by "sequence.name", and how exactly the device computes.
func traced(t testing.TB, path, device string, sequences [][]int32) (map[string][]float32, device.Compute) {
	t.Helper()
	m, err := engine.Open(context.Background(), path, on(device))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	d, err := m.Device()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]float32{}
	pass := engine.Pass{Trace: func(tensor engine.TraceTensor) error {
		all[fmt.Sprintf("%d.%s", tensor.Sequence, tensor.Name)] = slices.Clone(tensor.Values)
		return nil
	}}
	for _, ids := range sequences {
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: ids})
	}
	if _, err := m.Run(context.Background(), pass); err != nil {
		t.Fatal(err)
	}
	return all, d.Info().Compute
}

// The files in testdata/gguf are goldens that llama.cpp's converter has rewritten (see testdata/gguf/README.md), so that names, permuted
// rows, split and stacked tensors and metadata are not our own idea of them. Their logits are the goldens', but where the converter has no
// key for what the golden says.
var unsaid = map[string]string{
	"cohere2":      "which layers slide: every 4th does not",
	"gemma2":       "query_pre_attn_scalar",
	"gemma3":       "which layers slide: every 6th does not",
	"gpt-oss":      "that the ends of the YaRN ramp are not rounded",
	"llama4-steps": "the golden has layers with experts that are no multiples of a step, and a chunk of 8",
	"smollm3":      "which layers rotate: every 4th does not",
	"starcoder2":   "a sliding window",
}

func TestGGUFGoldens(t *testing.T) {
	files, _ := filepath.Glob("testdata/gguf/*-f32.gguf")
	if len(files) == 0 {
		t.Fatal("no files in testdata/gguf")
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), "-f32.gguf")
		if unsaid[name] != "" {
			continue // llama.cpp itself is asked about these
		}
		for _, device := range devices() {
			t.Run(name+"/"+device, func(t *testing.T) {
				folder := goldenFolder(t, name)
				want, err := safetensors.Open(filepath.Join(folder, "reference.safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				defer want.Close()
				worst := 0.0
				got, compute := traced(t, file, device, inputs(t, folder))
				if len(got) != len(want.Tensors()) {
					t.Errorf("%d tensors, want %d", len(got), len(want.Tensors()))
				}
				for key, values := range got {
					golden, found := want.Lookup(key)
					if !found {
						t.Fatalf("no golden %s", key)
					}
					worst = max(worst, distance(values, floats(golden.Data)))
				}
				allowed := tolerance(compute)
				if strings.HasPrefix(name, "qwen3-next") || strings.HasPrefix(name, "qwen3-5") {
					allowed *= 10 // transformers' own float32, see golden
				}
				if !(worst <= allowed) {
					t.Errorf("off by %.2g of the root mean square, allowed %.2g", worst, allowed)
				}
				t.Logf("largest error %.2g of the root mean square", worst)
			})
		}
	}
}

// goldenFolder finds a golden in testdata or among the shared ones.
func goldenFolder(t testing.TB, name string) string {
	folder := filepath.Join("testdata/architectures", name)
	if _, err := os.Stat(folder); err == nil {
		return folder
	}
	return need.Reference(t, "architectures/"+name)
}
