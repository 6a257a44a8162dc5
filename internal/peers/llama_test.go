package peers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/internal/need"
	"avssnative/prune"
)

// llamaPython is a Python that has llama-cpp-python, which is compiled from source and so lives in an environment of its own
// (.ci/requirements-llama.txt).
func llamaPython(t testing.TB) string {
	python := os.Getenv("AVSSNATIVE_LLAMA_PYTHON")
	if python == "" {
		need.Missing(t, "AVSSNATIVE_LLAMA_PYTHON, a Python with the packages of .ci/requirements-llama.txt,")
	}
	return python
}

type ggufCase struct {
	Path      string    `json:"path"`
	Sequences [][]int32 `json:"sequences"`
	Stepwise  bool      `json:"stepwise"` // token by token, as text is generated
}

// llamaLogits asks llama.cpp for the logits of models, [models][sequences][tokens][vocabulary].
func llamaLogits(t testing.TB, cases []ggufCase) [][][][]float64 {
	t.Helper()
	question, err := json.Marshal(map[string]any{"models": cases})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(llamaPython(t), "llama_logits.py")
	command.Stdin = bytes.NewReader(question)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	answer, err := command.Output()
	if err != nil {
		t.Fatalf("llama.cpp: %v: %s", err, complaints.String())
	}
	var logits [][][][]float64
	if err := json.Unmarshal(answer, &logits); err != nil {
		t.Fatalf("llama.cpp answers %.200q: %v", answer, err)
	}
	return logits
}

// llamaAgrees holds our logits of the first sequence of each case against llama.cpp's, within the tolerance of TestLlamaCppAgreesOnGGUF.
func llamaAgrees(t *testing.T, cases []ggufCase, names []string, ours [][][]float32) {
	t.Helper()
	for c, theirs := range llamaLogits(t, cases) {
		if theirs == nil {
			t.Errorf("%s: llama.cpp does not load it", names[c])
			continue
		}
		worst, square := 0.0, 0.0
		for p, row := range theirs[0] {
			for id, want := range row {
				worst = max(worst, math.Abs(float64(ours[c][0][p*len(row)+id])-want))
				square += want * want
			}
		}
		if off := worst / math.Sqrt(square/float64(len(ours[c][0]))); !(off <= 4.0/1024) {
			t.Errorf("%s, token by token %t: logits off by %.2g of their root mean square", names[c], cases[c].Stepwise, off)
		}
	}
}

// ourLogits is the same by this program.
func ourLogits(t testing.TB, m *engine.Model, sequences [][]int32) [][]float32 {
	t.Helper()
	all := make([][]float32, len(sequences))
	pass := engine.Pass{Trace: func(x engine.TraceTensor) error {
		if x.Name == "logits" {
			all[x.Sequence] = slices.Clone(x.Values)
		}
		return nil
	}}
	for _, ids := range sequences {
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: ids})
	}
	if _, err := m.Run(context.Background(), pass); err != nil {
		t.Fatal(err)
	}
	return all
}

// perplexity of the tokens that follow others, from logits by position.
func perplexity(sequences [][]int32, at func(sequence, position, id int) float64, vocab int) float64 {
	sum, count := 0.0, 0
	for i, ids := range sequences {
		for p := 1; p < len(ids); p++ {
			total := 0.0
			for id := range vocab {
				total += math.Exp(at(i, p-1, id))
			}
			sum += math.Log(total) - at(i, p-1, int(ids[p]))
			count++
		}
	}
	return math.Exp(sum / float64(count))
}

// refused are files that llama.cpp's converter makes and llama.cpp does not load: a width that the family usually has but this model has
// not, and a vocabulary without words that the family's code looks for.
var refused = map[string]bool{"phi": true, "phi3": true}

// attends says whether a layer mixes by attention, and not by a delta rule or a convolution.
func attends(m *engine.Model, layer int) bool {
	switch m.Spec.Blocks[layer].Mixer.(type) {
	case *arch.DeltaSpec, *arch.ConvolutionSpec:
		return false
	}
	return true
}

// Every converted golden, whole and without one of its layers, has the logits and the perplexity that llama.cpp computes for the file.
// llama.cpp computes in float32 here; activations like GELU it takes from a table of half precision (10 bits), which is what the tolerance
// allows for: 2^-10 of the logits' root mean square, a few times over.
func TestLlamaCppAgreesOnGGUF(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: starts other programs")
	}
	llamaPython(t)
	files, _ := filepath.Glob("../../engine/testdata/gguf/*.gguf")
	if extra := os.Getenv("AVSSNATIVE_MORE_GGUF"); extra != "" {
		more, _ := filepath.Glob(filepath.Join(extra, "*.gguf"))
		files = append(files, more...)
	}
	var cases []ggufCase
	var ours [][][]float32
	var vocabs []int
	r := rand.New(rand.NewPCG(1, 2))
	for _, file := range files {
		m, err := engine.Open(context.Background(), file, engine.Options{Device: "cpu"})
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		defer m.Close()
		sequences := make([][]int32, 2)
		for i := range sequences {
			for range 11 + 9*i {
				sequences[i] = append(sequences[i], int32(r.IntN(m.Spec.Vocab)))
			}
		}
		drop := engine.Layers(1)
		if !attends(m, 0) && attends(m, 1) {
			drop = engine.Layers(0) // llama.cpp ends the program where no layer is left that attends
		}
		smaller := filepath.Join(t.TempDir(), fmt.Sprintf("%s-without-%d.gguf", strings.TrimSuffix(filepath.Base(file), ".gguf"), drop[0]))
		if err := prune.Write(context.Background(), m, drop, smaller, prune.Options{}); err != nil {
			if !strings.Contains(err.Error(), "no key to say otherwise") {
				t.Errorf("%v", err)
			}
			smaller = ""
		}
		for _, path := range []string{file, smaller} {
			if path == "" {
				continue
			}
			s, err := engine.Open(context.Background(), path, engine.Options{Device: "cpu"})
			if err != nil {
				t.Fatal(err)
			}
			cases = append(cases, ggufCase{Path: path, Sequences: sequences})
			ours = append(ours, ourLogits(t, s, sequences))
			vocabs = append(vocabs, s.Spec.Vocab)
			s.Close()
		}
	}
	theirs := llamaLogits(t, cases)
	for c, model := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(model.Path), ".gguf"), func(t *testing.T) {
			vocab := vocabs[c]
			if theirs[c] == nil {
				if name, _, _ := strings.Cut(filepath.Base(model.Path), "-f32"); !refused[name] {
					t.Fatal("llama.cpp does not load it")
				}
				return
			}
			square, worst, count := 0.0, 0.0, 0
			for i, ids := range model.Sequences {
				if len(theirs[c][i]) != len(ids) || len(ours[c][i]) != len(ids)*vocab {
					t.Fatalf("%d and %d rows, want %d", len(ours[c][i])/vocab, len(theirs[c][i]), len(ids))
				}
				for p := range ids {
					for id := range vocab {
						want := theirs[c][i][p][id]
						worst = max(worst, math.Abs(float64(ours[c][i][p*vocab+id])-want))
						square += want * want
						count++
					}
				}
			}
			off := worst / math.Sqrt(square/float64(count))
			mine := perplexity(model.Sequences, func(s, p, id int) float64 { return float64(ours[c][s][p*vocab+id]) }, vocab)
			his := perplexity(model.Sequences, func(s, p, id int) float64 { return theirs[c][s][p][id] }, vocab)
			if !(off <= 4.0/1024) || !(math.Abs(mine-his) <= 1e-3*his) {
				t.Errorf("logits off by %.2g of their root mean square; perplexity %.5f, llama.cpp's %.5f", off, mine, his)
			}
			t.Logf("logits off by %.2g of their root mean square; perplexity %.5f, llama.cpp's %.5f", off, mine, his)
		})
	}
}
