package peers_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/prune"
)

// llama.cpp computes what this program computes for a file in which linear maps stand in the place of attentions, in one go and token by token from
// its cache. The tolerance is that of TestLlamaCppAgreesOnGGUF.
func TestLlamaCppRunsLinearMaps(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: short: starts other programs")
	}
	llamaPython(t)
	var cases []ggufCase
	var names []string
	var ours [][][]float32
	r := rand.New(rand.NewPCG(9, 10))
	for _, file := range []string{"llama-f32.gguf", "llama3-rope-f32.gguf"} {
		m := opened(t, filepath.Join("../../engine/testdata/gguf", file))
		for _, text := range []string{"1.attn", "0.attn", "2.attn", "0.attn,1.attn", "0,1.attn", "1.attn,2.mlp"} {
			drop, err := engine.ParseDrop(text)
			if err != nil {
				t.Fatal(err)
			}
			maps := m.NewRepair()
			for _, u := range drop {
				if u.Part != engine.Attention {
					continue
				}
				values := make([]float32, m.Spec.Hidden*m.Spec.Hidden)
				for i := range values {
					values[i] = float32(r.NormFloat64()) / 8
				}
				data, err := weights.Encode(device.F32, values)
				if err == nil {
					err = maps.Linear(u.Layer, weights.Stored{Type: device.F32, Data: data})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(t.TempDir(), "linear.gguf")
			if err := prune.Write(context.Background(), m, drop, path, prune.Options{Repair: maps}); err != nil {
				t.Fatal(err)
			}
			ids := make([]int32, 19)
			for i := range ids {
				ids[i] = int32(r.IntN(m.Spec.Vocab))
			}
			for _, stepwise := range []bool{false, true} {
				cases = append(cases, ggufCase{Path: path, Sequences: [][]int32{ids}, Stepwise: stepwise})
				names = append(names, file+" with maps for "+text)
				ours = append(ours, ourLogits(t, opened(t, path), [][]int32{ids}))
			}
		}
	}
	llamaAgrees(t, cases, names, ours)
}
