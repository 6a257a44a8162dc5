package avss

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/internal/need"
)

// plant copies the demo's model and sets the output projections of some layers to zero, so that they add nothing.
func plant(t *testing.T, layers ...int) (folder string) {
	folder = t.TempDir()
	from := filepath.Join(need.Root(), "internal", "demo", "model")
	config, err := os.ReadFile(filepath.Join(from, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(from, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	start := 8 + int(binary.LittleEndian.Uint64(data))
	var header map[string]struct {
		Offsets []int `json:"data_offsets"`
	}
	if err := json.Unmarshal(data[8:start], &header); err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		for _, name := range []string{"self_attn.o_proj", "mlp.down_proj"} {
			at := header[fmt.Sprintf("model.layers.%d.%s.weight", l, name)].Offsets
			clear(data[start+at[0] : start+at[1]])
		}
	}
	for name, content := range map[string][]byte{"config.json": config, "model.safetensors": data} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// Blocks that do nothing are the truth that is known: every metric of deltas, cosines and divergence must name them first, and without them
// not a bit of the loss changes. Perplexity and greedy search may name others before: without its last layers this model's loss is lower.
func TestPlantedNoOps(t *testing.T) {
	if !slices.Contains(device.Kinds(), "cpu") {
		need.Missing(t, "device cpu")
	}
	planted := []int{5, 10}
	m, err := engine.Open(context.Background(), plant(t, planted...), engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	g := readGolden(t, "tiny16")
	p := g.pass()
	p.Sequences = p.Sequences[:4]
	var all []Scores
	metrics := everyMetric(0)
	watched := p
	for _, metric := range metrics {
		watched.Observe = append(watched.Observe, metric)
	}
	if _, err := m.Run(context.Background(), watched); err != nil {
		t.Fatal(err)
	}
	for _, metric := range metrics {
		all = append(all, scoresOf(t, metric))
	}
	losses, err := MeasureRemoval(context.Background(), m, p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	kl, err := losses.KL()
	if err != nil {
		t.Fatal(err)
	}
	ppl, err := losses.PPL()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range planted {
		if ppl.Values[l] != float64(ppl.Dense) || kl.Values[l] != 0 {
			t.Errorf("without layer %d the perplexity is %v, with it %v; divergence %v", l, ppl.Values[l], ppl.Dense, kl.Values[l])
		}
	}
	var others []int
	for l := range m.Layers() {
		if !slices.Contains(planted, l) {
			others = append(others, l)
		}
	}
	greedy, err := MeasureGreedy(context.Background(), m, p, 2, others)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(greedy.Order, planted) || greedy.Losses[0] != greedy.Dense || greedy.Losses[1] != greedy.Dense {
		t.Errorf("greedy drops %v with losses %v, the dense model's is %v", greedy.Order, greedy.Losses, greedy.Dense)
	}
	for _, s := range append(all, kl) {
		first := s.Ranking()[:2]
		slices.Sort(first)
		if !slices.Equal(first, planted) {
			t.Errorf("%s: ranking %v, want %v first", s.Key(), s.Ranking(), planted)
		}
	}
}
