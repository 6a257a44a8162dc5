package peers_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/calib"
	"avssnative/engine"
	"avssnative/internal/gguf"
	"avssnative/internal/imatrix"
	"avssnative/internal/job"
	"avssnative/internal/need"
	"avssnative/tokenizer"
)

// q2k is llama.cpp's number of the file type Q2_K, in which weighing matters.
const q2k = 10

// llama.cpp quantises a model by the importance matrix that comes with its scores, and loses less than without.
func TestImatrixHelpsLlama(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: quantises a trained model twice")
	}
	model, llama := need.Model(t, "smollm2.gguf"), llamaPython(t)
	work, text := t.TempDir(), need.Data(t, "eval/wikitext-2/valid.txt")
	j, err := job.Open(t.Context(), model, engine.Options{Device: imatrix.Kind}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Calibrate(t.Context(), calib.Options{Files: []string{text}, Tokens: 2048, BOS: tokenizer.BOSNo}); err != nil {
		t.Fatal(err)
	}
	if err := j.Score(t.Context(), job.Scoring{}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(work, "imatrix.gguf")
	if err := j.WriteImportance(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	quantised := func(name string, matrix map[string][]float64) float64 {
		out, returned := filepath.Join(work, name+".gguf"), -1
		tell(t, map[string]any{"path": model, "out": out, "type": q2k, "matrix": matrix}, &returned, llama, "llama_quantise.py")
		if returned != 0 {
			t.Fatalf("%s: llama.cpp returns %d", name, returned)
		}
		return lossOf(t, j, out)
	}
	dense, plain, weighed := lossOf(t, j, model), quantised("plain", nil), quantised("weighed", matrixIn(t, file))
	t.Logf("nats a token: dense %.4f, plain %.4f, weighed %.4f", dense, plain, weighed)
	if !(dense < weighed && weighed < plain) {
		t.Error("want dense below weighed below plain")
	}
}

// matrixIn reads the mean squares of an importance matrix as llama-quantize does.
func matrixIn(t *testing.T, path string) map[string][]float64 {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	means := map[string][]float64{}
	for _, sums := range f.Tensors() {
		name, is := strings.CutSuffix(sums.Name, ".in_sum2")
		if !is {
			continue
		}
		counts, found := f.Lookup(name + ".counts")
		if !found {
			t.Fatalf("%s: no counts", name)
		}
		for at := 0; at < len(sums.Data); at += 4 {
			means[name] = append(means[name], float32At(sums.Data[at:])/float32At(counts.Data))
		}
	}
	if len(means) < 200 {
		t.Fatalf("%d matrices, want seven a layer", len(means))
	}
	return means
}

func float32At(data []byte) float64 {
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
}

// lossOf is a model's loss on text that nothing was measured on, nats a token.
func lossOf(t *testing.T, j *job.Job, path string) float64 {
	t.Helper()
	text, err := os.ReadFile(need.Data(t, "eval/wikitext-2/test.txt"))
	if err != nil {
		t.Fatal(err)
	}
	words, err := j.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := words.Encode(string(text[:8_000]), false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Open(t.Context(), path, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var pass engine.Pass
	for at := 0; at+512 <= len(ids); at += 512 {
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: ids[at : at+512], ScoreFrom: 1, ScoreTo: 512})
	}
	outcome, err := m.Run(t.Context(), pass)
	if err != nil {
		t.Fatal(err)
	}
	var all engine.Score
	for _, s := range outcome.Scores[0] {
		all = all.Add(s.Score)
	}
	return -all.LogLikelihood / float64(all.Tokens)
}
