package peers_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/prune"
)

// llama.cpp computes what this program computes for a file whose layers lack their attention or their MLP, in one go and token by token from
// its cache. The tolerance is that of TestLlamaCppAgreesOnGGUF.
func TestLlamaCppRunsHalves(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: starts other programs")
	}
	llamaPython(t)
	drops := []string{"1.attn", "1.mlp", "2.attn", "2.mlp", "0.mlp,1.attn,2.mlp", "0.mlp,1.mlp,2.mlp", "1.attn,2.attn", "0,1.mlp", "0.attn,1.mlp"}
	files := []string{"llama-f32.gguf", "llama3-rope-f32.gguf"}
	var cases []ggufCase
	var names []string
	var ours [][][]float32
	r := rand.New(rand.NewPCG(5, 6))
	for _, file := range files {
		m, err := engine.Open(context.Background(), filepath.Join("../../engine/testdata/gguf", file), engine.Options{Device: "cpu"})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for _, text := range drops {
			drop, err := engine.ParseDrop(text)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "halves.gguf")
			if err := prune.Write(context.Background(), m, drop, path, prune.Options{}); err != nil {
				t.Fatal(err)
			}
			ids := make([]int32, 19)
			for i := range ids {
				ids[i] = int32(r.IntN(m.Spec.Vocab))
			}
			for _, stepwise := range []bool{false, true} {
				cases = append(cases, ggufCase{Path: path, Sequences: [][]int32{ids}, Stepwise: stepwise})
				names = append(names, file+" without "+text)
				ours = append(ours, ourLogits(t, opened(t, path), [][]int32{ids}))
			}
		}
	}
	llamaAgrees(t, cases, names, ours)
}

// transformers loads a folder whose layers lack their attention or their MLP by the code that lies beside the weights, with no weight missing
// and none left over, and computes what this program computes.
func TestTransformersRunsHalves(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads torch and transformers")
	}
	python := need.Python(t, "torch", "transformers")
	work := t.TempDir()
	var folders []string
	for _, golden := range []string{"llama", "llama-tied-mha", "llama-headdim-bias", "llama3-rope"} {
		golden = filepath.Join("../../engine/testdata/architectures", golden)
		m := referenceModel(t, golden)
		for _, text := range []string{"1.attn", "0.mlp,1.attn,2.mlp", "0,1.mlp", "0.attn,2.attn"} {
			drop, err := engine.ParseDrop(text)
			if err != nil {
				t.Fatal(err)
			}
			folder := filepath.Join(work, filepath.Base(golden)+"-without-"+strings.ReplaceAll(text, ",", "-"))
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

// Such a folder goes on with a text by its cache as it does without one.
func TestTransformersGeneratesWithHalves(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads torch and transformers")
	}
	python := need.Python(t, "torch", "transformers")
	folder := filepath.Join(t.TempDir(), "halves")
	m := referenceModel(t, "../../engine/testdata/architectures/llama")
	if err := prune.Write(context.Background(), m, engine.Drop{{Layer: 0, Part: engine.Attention}, {Layer: 1, Part: engine.Attention}, {Layer: 2, Part: engine.MLP}},
		folder, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	if said := runScript(t, python, "", "halves_generate.py", folder); strings.TrimSpace(string(said)) != "12 tokens, the same" {
		t.Errorf("%q", said)
	}
}

// PyPI's gguf reads a file of layers with one half: its lists, and every tensor's values.
func TestGGUFReadsHalves(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: starts other programs")
	}
	python := need.Python(t, "gguf")
	m := opened(t, "../../engine/testdata/gguf/llama-f32.gguf")
	path := filepath.Join(t.TempDir(), "halves.gguf")
	if err := prune.Write(context.Background(), m, engine.Drop{{Layer: 1, Part: engine.Attention}, {Layer: 2, Part: engine.MLP}}, path, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	said := runScript(t, python, "", "halves_gguf.py", path)
	want := "deci heads [4, 0, 4] kv [2, 0, 2] inner [48, 48, 32] of head 8 8 8\ntensors 25\n"
	if string(said) != want {
		t.Errorf("%q, want %q", said, want)
	}
}
