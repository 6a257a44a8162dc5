package cuda_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	_ "avssnative/cuda"
	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/internal/need"
	"avssnative/internal/smallworld"
	"avssnative/tokenizer"
)

// TestDemoScores scores the demo on the GPU and on the processor: the same text, the same metric, the same layers to drop.
func TestDemoScores(t *testing.T) {
	if _, err := device.List("cuda"); err != nil {
		need.Missing(t, "a GPU, or AVSSNATIVE_LIBCUDA naming the PTX machine,")
	}
	want := demoScores(t, "cpu", device.ComputeF32)
	for compute, allowed := range map[device.Compute]float64{device.ComputeF32: 1e-3, device.ComputeBF16: 0.1} {
		got := demoScores(t, "cuda:0", compute)
		for layer := range want.Values {
			if off := math.Abs(got.Values[layer]/want.Values[layer] - 1); !(off <= allowed) {
				t.Errorf("%s: layer %d scores %g, on the processor %g: off by %.2g, allowed %.2g", compute, layer, got.Values[layer], want.Values[layer], off, allowed)
			}
		}
		if got, want := got.Ranking()[:4], want.Ranking()[:4]; !same(got, want) {
			t.Errorf("%s: layers %v would go, on the processor %v", compute, got, want)
		}
	}
}

func same(a, b []int) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func demoScores(t *testing.T, on string, compute device.Compute) avss.Scores {
	t.Helper()
	m, err := engine.Open(context.Background(), "demo", engine.Options{Device: on, Options: device.Options{Compute: compute}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	words, err := tokenizer.Open(m.Folder)
	if err != nil {
		t.Fatal(err)
	}
	metric := avss.NewAVSS(avss.DefaultOptions())
	pass := engine.Pass{Observe: []engine.Observer{metric}}
	for _, text := range strings.Split(string(smallworld.Calibration()), smallworld.EndOfText)[:4] {
		ids, err := words.Encode(strings.TrimSpace(text), true)
		if err != nil {
			t.Fatal(err)
		}
		pass.Sequences = append(pass.Sequences, engine.Sequence{IDs: ids})
	}
	if _, err := m.Run(context.Background(), pass); err != nil {
		t.Fatal(err)
	}
	scores, err := metric.Scores()
	if err != nil {
		t.Fatal(err)
	}
	return scores
}
