package peers_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/prune"
)

// A draft is written for other programs to use: transformers takes it as assistant_model, llama.cpp beside the model it was made of, and both
// say with it what the dense model says alone. Both compute in float32, where the texts of the models here have no ties.

// promptsOf are beginnings of texts for a model.
func promptsOf(m *engine.Model, count int) [][]int32 {
	r := rand.New(rand.NewPCG(11, 12))
	all := make([][]int32, count)
	for i := range all {
		for range 4 + 3*i {
			all[i] = append(all[i], int32(3+r.IntN(m.Spec.Vocab-3)))
		}
	}
	return all
}

// saidAlone is what a model says greedily.
func saidAlone(t *testing.T, m *engine.Model, prompts [][]int32, tokens int) [][]int32 {
	t.Helper()
	var requests []engine.Request
	for _, ids := range prompts {
		requests = append(requests, engine.Request{IDs: ids, Tokens: tokens})
	}
	said, err := m.Generate(t.Context(), requests, engine.Generating{})
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// draftOf writes a model without layers.
func draftOf(t *testing.T, ref, name string, drop engine.Drop) (*engine.Model, string) {
	t.Helper()
	m, err := engine.Open(t.Context(), ref, engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	path := filepath.Join(t.TempDir(), name)
	if err := prune.Write(t.Context(), m, drop, path, prune.Options{}); err != nil {
		t.Fatal(err)
	}
	return m, path
}

func TestTransformersTakesTheDraft(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads torch and transformers")
	}
	python, folder := need.Python(t, "torch", "transformers"), need.Data(t, "models/tiny16")
	const tokens = 24
	m, draft := draftOf(t, folder, "draft", engine.Layers(9, 10, 11, 12, 13, 14))
	prompts := promptsOf(m, 3)
	var said struct {
		Alone, Assisted     [][]int32
		Layers              []int
		Missing, Unexpected []string
		Drafted             int
	}
	askScript(t, prompts, &said, python, "transformers_draft.py", folder, draft, fmt.Sprint(tokens))
	if !slices.Equal(said.Layers, []int{16, 10}) || len(said.Missing)+len(said.Unexpected) > 0 || said.Drafted == 0 {
		t.Errorf("layers %v, missing %v, unexpected %v, the draft ran %d times", said.Layers, said.Missing, said.Unexpected, said.Drafted)
	}
	for i, want := range saidAlone(t, m, prompts, tokens) {
		if !slices.Equal(said.Assisted[i], want) || !slices.Equal(said.Alone[i], want) {
			t.Errorf("prompt %d: with the draft %v, alone %v, want %v", i, said.Assisted[i], said.Alone[i], want)
		}
	}
}

// Its low-level interface lets llama.cpp run the draft, and the dense model read what it proposed in one batch.
func TestLlamaCppTakesTheDraft(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: starts other programs")
	}
	for _, family := range []string{"llama", "qwen3"} {
		t.Run(family, func(t *testing.T) {
			llamaTakesTheDraft(t, filepath.Join(need.Root(), "engine", "testdata", "gguf", family+"-f32.gguf"))
		})
	}
}

func llamaTakesTheDraft(t *testing.T, source string) {
	python := llamaPython(t)
	const tokens, ahead = 24, 4
	m, draft := draftOf(t, source, "draft.gguf", engine.Layers(1))
	prompts := promptsOf(m, 3)
	var said struct {
		Alone, Assisted    [][]int32
		Proposed, Accepted int
	}
	asked := map[string]any{"model": source, "draft": draft, "prompts": prompts, "tokens": tokens, "ahead": ahead}
	tell(t, asked, &said, python, "llama_draft.py")
	if said.Proposed == 0 || said.Accepted > said.Proposed {
		t.Errorf("%d of %d proposed tokens accepted", said.Accepted, said.Proposed)
	}
	for i, want := range saidAlone(t, m, prompts, tokens) {
		if !slices.Equal(said.Assisted[i], want) || !slices.Equal(said.Alone[i], want) {
			t.Errorf("prompt %d: with the draft %v, alone %v, want %v", i, said.Assisted[i], said.Alone[i], want)
		}
	}
	t.Logf("%d of %d proposed tokens accepted", said.Accepted, said.Proposed)
}
