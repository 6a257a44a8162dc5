package cuda

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/internal/smallworld"
	"avssnative/tokenizer"
)

// TestDemoScores scores the demo on the GPU and on the processor: the same text, the same metric, the same layers to drop.
func TestDemoScores(t *testing.T) {
	someGPU(t)
	want := demoScores(t, "cpu", device.ComputeF32)
	for compute, allowed := range map[device.Compute]float64{device.ComputeF32: 1e-3, device.ComputeBF16: 0.1} {
		got := demoScores(t, "cuda:0", compute)
		for layer := range want.Values {
			if off := math.Abs(got.Values[layer]/want.Values[layer] - 1); !(off <= allowed) {
				t.Errorf("%s: layer %d scores %g, on the processor %g: off by %.2g, allowed %.2g",
					compute, layer, got.Values[layer], want.Values[layer], off, allowed)
			}
		}
		if got, want := got.Ranking()[:4], want.Ranking()[:4]; !sameLayers(got, want) {
			t.Errorf("%s: layers %v would go, on the processor %v", compute, got, want)
		}
	}
}

func sameLayers(a, b []int) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func demoScores(t *testing.T, on string, compute device.Compute) avss.Scores {
	t.Helper()
	m, err := engine.Open(context.Background(), "demo", engine.Options{Device: on, Options: device.Options{Compute: compute}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	metric := avss.NewAVSS(avss.Options{})
	pass := engine.Pass{Observe: []engine.Observer{metric}, Sequences: demoTexts(t, m, 4)}
	if _, err := m.Run(context.Background(), pass); err != nil {
		t.Fatal(err)
	}
	scores, err := metric.Scores()
	if err != nil {
		t.Fatal(err)
	}
	return scores
}

// demoTexts are the first n texts that the demo is calibrated on.
func demoTexts(t *testing.T, m *engine.Model, n int) []engine.Sequence {
	t.Helper()
	words, err := tokenizer.Open(m.Folder)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]engine.Sequence, n)
	for i, text := range strings.Split(string(smallworld.Calibration()), smallworld.EndOfText)[:n] {
		if list[i].IDs, err = words.Encode(strings.TrimSpace(text), true); err != nil {
			t.Fatal(err)
		}
	}
	return list
}
