package yardstick

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"avssnative/engine"
	_ "avssnative/engine/reference"
	"avssnative/internal/safetensors"
	"avssnative/kernels/cpu"
)

var tiny = Shape{Layers: 2, Hidden: 32, Inner: 48, Heads: 4, KVHeads: 2, Vocab: 61, Context: 64}

// What is written opens as a model of the stated size, the same every time, in both types.
func TestWrittenModelsOpen(t *testing.T) {
	var losses []float64
	for _, dtype := range []string{"F32", "BF16"} {
		folders := []string{t.TempDir(), t.TempDir()}
		var sums [2][32]byte
		for i, folder := range folders {
			if err := tiny.Write(context.Background(), folder, dtype); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(folder, "model.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			sums[i] = sha256.Sum256(data)
		}
		if sums[0] != sums[1] {
			t.Errorf("%s: two writings differ", dtype)
		}
		m, err := engine.Open(context.Background(), folders[0], engine.Options{Device: "reference"})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if parameters, _ := m.Size(nil); parameters != tiny.Parameters() {
			t.Errorf("%s: %d parameters, Parameters says %d", dtype, parameters, tiny.Parameters())
		}
		ids := tiny.IDs(1, 24)[0]
		o, err := m.Run(context.Background(), engine.Pass{Sequences: []engine.Sequence{{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)}}})
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, -o.Scores[0][0].LogLikelihood/23)
	}
	// Weights this small say next to nothing of the next token, rounded or not.
	if uniform := math.Log(float64(tiny.Vocab)); math.Abs(losses[0]-uniform) > 0.5 || math.Abs(losses[0]-losses[1]) > 0.01 || losses[0] == losses[1] {
		t.Errorf("loss %v in F32, %v in BF16, %v where nothing is known", losses[0], losses[1], uniform)
	}
}

// The values have the deviation that they should, and no mean.
func TestDeviation(t *testing.T) {
	folder := t.TempDir()
	if err := tiny.Write(context.Background(), folder, "F32"); err != nil {
		t.Fatal(err)
	}
	set, err := safetensors.OpenDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for name, want := range map[string]float64{"lm_head.weight": 0.02, "model.layers.1.mlp.down_proj.weight": 0.01} {
		stored, ok := set.Lookup(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		var sum, squares float64
		n := len(stored.Data) / 4
		for i := range n {
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(stored.Data[4*i:])))
			sum += v
			squares += v * v
		}
		// The mean of n values has a standard error of want/√n; five of them are hardly ever passed.
		if mean := sum / float64(n); math.Abs(mean) > 5*want/math.Sqrt(float64(n)) || math.Abs(math.Sqrt(squares/float64(n))-want) > 0.05*want {
			t.Errorf("%s: mean %v, deviation %v, want 0 and %v", name, mean, math.Sqrt(squares/float64(n)), want)
		}
	}
}

func TestFlopsCountTheMatrices(t *testing.T) {
	s := Shapes["small"]
	// 12 × (4·768² + 3·768·2048) weights in blocks, twice a row, and the causal half of two products of 512 × 512 × 768 in each.
	if got, want := s.Flops(512, 12, 0), 2.0*512*12*(4*768*768+3*768*2048)+12*2*512*512*768; got != want {
		t.Errorf("blocks: %v, want %v", got, want)
	}
	if got, want := s.Flops(512, 0, 511), 2.0*511*768*32000; got != want {
		t.Errorf("head: %v, want %v", got, want)
	}
}

func TestUnknownNamesAreErrors(t *testing.T) {
	if _, err := Named("huge"); err == nil {
		t.Error("no error for a shape that there is not")
	}
	if err := tiny.Write(context.Background(), t.TempDir(), "F8"); err == nil {
		t.Error("no error for a type that there is not")
	}
}

func TestPeakIsMeasured(t *testing.T) {
	k, err := cpu.Open()
	if err != nil {
		t.Fatal(err)
	}
	if peak := MeasurePeak(k, 1, false, 1); !(peak.Clock > 1e6) || math.IsInf(peak.Clock+peak.Thread, 0) {
		t.Errorf("%+v operations a second", peak)
	}
}
