package peers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"avssnative/engine"
	"avssnative/internal/need"
	"avssnative/tokenizer"
)

// Trained models of the size that people prune, as files that somebody else made: what this program reads in them is what transformers and
// llama.cpp read, and what `run` writes they load and go on with.

// realTexts are for the tokenizers: words, digits, letters of other scripts, spaces, marks.
var realTexts = []string{"Once upon a time, there were 1234 dogs.", "  Ünïcödé\tand\n\n   spaces  日本語 🙂", "def f(x):\n    return x**2  # 3.14\n", "it's o'clock—“so”…",
	"Привет, мир! 12,345.67 €", "\u00a0a\u200bb\r\nc"}

// realPrompt is for the models.
const realPrompt = "The capital of France is Paris, and the largest city of Germany is"

func TestRealModel(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: loads torch and transformers")
	}
	realModel(t, need.Model(t, "smollm2.gguf"), "scale", 512)
}

// The same on a model of another family, and with more text, as the long checks do.
func TestRealModelsAtLength(t *testing.T) {
	folder := os.Getenv("AVSSNATIVE_REAL_MODELS")
	if folder == "" {
		t.Skip("skipped: AVSSNATIVE_REAL_MODELS, a folder with the models that .ci/steps/realmodels.sh fetches, is missing")
	}
	for _, name := range []string{"smollm2", "gemma3"} {
		t.Run(name, func(t *testing.T) { realModel(t, filepath.Join(folder, name+".gguf"), "refit", 4000) })
	}
}

// realModel holds one GGUF against the peers, dense and pruned by `run` with a repair and so many tokens of calibration text.
func realModel(t *testing.T, file, repair string, calibration int) {
	python := need.Python(t, "torch", "transformers", "gguf")
	llama := llamaPython(t)
	work := t.TempDir()
	words, err := tokenizer.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	prompt, err := words.Encode(realPrompt, true)
	if err != nil {
		t.Fatal(err)
	}
	const tokens = 8
	folder := filepath.Join(work, "dense")
	asked := map[string]any{"texts": realTexts, "ids": [][]int32{prompt}, "prompt": prompt, "tokens": tokens, "path": file}
	var dense transformersReal
	askScript(t, asked, &dense, python, "real_model.py", "dense", file, folder)
	var said llamaReal
	tell(t, asked, &said, llama, "llama_generate.py")
	for i, text := range realTexts {
		ours, err := words.Encode(text, false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(said.Tokens[i], ours); diff != "" {
			t.Errorf("tokens of %q are not llama.cpp's: %s", text, diff)
		}
		if diff := cmp.Diff(dense.Tokens[i], ours); diff != "" {
			t.Errorf("tokens of %q are not transformers': %s", text, diff)
		}
	}
	nearTransformers(t, file, prompt, dense.Logits[0])

	program := filepath.Join(work, "avssnative")
	if out, err := exec.Command("go", "build", "-o", program, "avssnative/cmd/avssnative").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, form := range []string{"gguf", "hf"} {
		t.Run(form, func(t *testing.T) {
			model := map[string]string{"gguf": file, "hf": folder}[form]
			pruned := filepath.Join(work, "pruned")
			if form == "gguf" {
				pruned += ".gguf"
			}
			out, err := exec.Command(program, "run", "--model", model, "--drop=25%", "--calib", filepath.Join(need.Root(), "internal/smallworld/calibration.txt"),
				fmt.Sprintf("--calib-tokens=%d", calibration), "--seq-len=64", "--repair="+repair, "--tasks=small_world_qa", "--limit=2", "--generate=0", "--device=cpu",
				"--out", pruned, "--json").CombinedOutput()
			if err != nil {
				t.Fatalf("run: %v: %s", err, out)
			}
			m, err := engine.Open(context.Background(), pruned, engine.Options{Device: "cpu"})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			made, err := m.Generate(context.Background(), []engine.Request{{IDs: prompt, Tokens: tokens}}, engine.Generating{})
			if err != nil {
				t.Fatal(err)
			}
			asked["path"] = pruned
			if form == "gguf" {
				// llama.cpp rounds what enters a product of quantised weights, so only its own two ways are held together.
				var said llamaReal
				tell(t, asked, &said, llama, "llama_generate.py")
				if len(said.Cached) != tokens || !slices.Equal(said.Cached, said.Whole) {
					t.Errorf("by its cache llama.cpp says %v, without it %v", said.Cached, said.Whole)
				}
				t.Logf("llama.cpp says %v, this program %v", said.Cached, made[0])
				return
			}
			var loaded transformersReal
			askScript(t, asked, &loaded, python, "real_model.py", "pruned", pruned)
			if len(loaded.Missing)+len(loaded.Unexpected)+len(loaded.Mismatched) > 0 {
				t.Errorf("missing %v, unexpected %v, mismatched %v", loaded.Missing, loaded.Unexpected, loaded.Mismatched)
			}
			if len(loaded.Cached) != tokens || !slices.Equal(loaded.Cached, loaded.Uncached) || !slices.Equal(loaded.Cached, made[0]) {
				t.Errorf("by its cache transformers says %v, without it %v; this program %v", loaded.Cached, loaded.Uncached, made[0])
			}
			nearTransformers(t, pruned, prompt, loaded.Logits[0])
		})
	}
}

// nearTransformers holds a model's logits against those of transformers. Both compute in float32, in other orders: what is allowed is 1e-4 of the
// logits' root mean square, a few hundred roundings.
func nearTransformers(t *testing.T, path string, ids []int32, want []float64) {
	t.Helper()
	m, err := engine.Open(context.Background(), path, engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	got := ourLogits(t, m, [][]int32{ids})[0]
	if len(got) != len(want) {
		t.Fatalf("%d logits, transformers has %d", len(got), len(want))
	}
	worst, square := 0.0, 0.0
	for i, v := range want {
		worst = max(worst, math.Abs(float64(got[i])-v))
		square += v * v
	}
	off := worst / math.Sqrt(square/float64(len(want)))
	if !(off <= 1e-4) {
		t.Errorf("%s: logits off by %.2g of their root mean square", filepath.Base(path), off)
	}
	t.Logf("%s: logits off by %.2g of their root mean square", filepath.Base(path), off)
}

// transformersReal is what real_model.py answers.
type transformersReal struct {
	Tokens                          [][]int32
	Logits                          [][]float64
	Missing, Unexpected, Mismatched []string
	Cached, Uncached                []int32
}

// llamaReal is what llama_generate.py answers.
type llamaReal struct {
	Cached, Whole []int32
	Tokens        [][]int32
}

// tell asks a Python of its own, one that runs llama.cpp, a question in JSON and reads its answer.
func tell(t *testing.T, question, answer any, python string, arguments ...string) {
	t.Helper()
	text, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(python, arguments...)
	command.Stdin = bytes.NewReader(text)
	var complaint strings.Builder
	command.Stderr = &complaint
	said, err := command.Output()
	if err == nil {
		err = json.Unmarshal(said, answer)
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(arguments, " "), err, complaint.String())
	}
}
