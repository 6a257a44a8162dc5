package peers_test

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/prune"
	"avssnative/tokenizer"
)

// madeGGUF writes a real model by PyPI's gguf: the file, and a folder with the same values in float32.
func madeGGUF(t testing.TB, kind string) (file, plain string) {
	t.Helper()
	python := os.Getenv("AVSSNATIVE_PYTHON")
	if python == "" {
		need.Missing(t, "AVSSNATIVE_PYTHON, a Python with the packages of .ci/requirements.txt,")
	}
	out := t.TempDir()
	runScript(t, python, "", "gguf_make.py", need.Data(t, "models/tiny16"), kind, out)
	return filepath.Join(out, "model.gguf"), filepath.Join(out, "plain")
}

func opened(t testing.TB, path string) *engine.Model {
	t.Helper()
	m, err := engine.Open(context.Background(), path, engine.Options{Device: "reference"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// A trained model computes the same from a GGUF file as from a folder with the values that the file means. Rows of queries and keys stand
// in another order, so sums of 32 products are rounded otherwise: 16 layers of that lose less than 2^-16 of float32's 24 bits. Its
// vocabulary gives the folder's tokens. A pruned file has llama.cpp's perplexity.
func TestRealModelInGGUF(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: starts other programs")
	}
	for _, kind := range []string{"F32", "F16", "Q8_0"} {
		t.Run(kind, func(t *testing.T) {
			file, plain := madeGGUF(t, kind)
			theirs, err := tokenizer.Open(plain)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := tokenizer.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"Once upon a time, there was a dog.", "  Two  spaces\n\tand 1234 ünïcode 漢字 🙂", "", "<|endoftext|>x"} {
				if a, b := encode(t, ours, text), encode(t, theirs, text); !slices.Equal(a, b) {
					t.Errorf("%q: %v, the folder's tokenizer %v", text, a, b)
				}
			}
			m := opened(t, file)
			r := rand.New(rand.NewPCG(3, 4))
			sequences := make([][]int32, 2)
			for i := range sequences {
				for range 6 + 12*i {
					sequences[i] = append(sequences[i], int32(r.IntN(m.Spec.Vocab)))
				}
			}
			got, want := ourLogits(t, m, sequences), ourLogits(t, opened(t, plain), sequences)
			worst, square, count := 0.0, 0.0, 0
			for i := range want {
				for j, w := range want[i] {
					worst = max(worst, math.Abs(float64(got[i][j]-w)))
					square += float64(w) * float64(w)
					count++
				}
			}
			off := worst / math.Sqrt(square/float64(count))
			if !(off <= 1.0/(1<<16)) {
				t.Errorf("logits off by %.2g of their root mean square", off)
			}
			t.Logf("logits off by %.2g of their root mean square", off)
			smaller := filepath.Join(t.TempDir(), "smaller.gguf")
			if err := prune.Write(context.Background(), m, engine.Layers(3, 9), smaller, prune.Options{}); err != nil {
				t.Fatal(err)
			}
			if os.Getenv("AVSSNATIVE_LLAMA_PYTHON") == "" {
				return // TestLlamaCppAgreesOnGGUF says what is missing
			}
			mine, his := ourLogits(t, opened(t, smaller), sequences), llamaLogits(t, []ggufCase{{Path: smaller, Sequences: sequences}})[0]
			vocab := m.Spec.Vocab
			a := perplexity(sequences, func(s, p, id int) float64 { return float64(mine[s][p*vocab+id]) }, vocab)
			b := perplexity(sequences, func(s, p, id int) float64 { return his[s][p][id] }, vocab)
			// llama.cpp rounds what enters a product with F16 or Q8_0 weights to 11 or 8 bits.
			allowed := map[string]float64{"F32": 1e-4, "F16": 1e-2, "Q8_0": 5e-2}[kind]
			if !(math.Abs(math.Log(a/b)) <= allowed) {
				t.Errorf("perplexity without layers 3 and 9: %.4f, llama.cpp's %.4f", a, b)
			}
			t.Logf("perplexity without layers 3 and 9: %.4f, llama.cpp's %.4f", a, b)
		})
	}
}

func encode(t testing.TB, by *tokenizer.Tokenizer, text string) []int32 {
	t.Helper()
	ids, err := by.Encode(text, true)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
