package engine_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/weights"

	"github.com/google/go-cmp/cmp"
)

// otherwise replaces a tensor of float32 values by its bytes in reverse order of values.
func otherwise(t *testing.T, m *engine.Model, names ...string) *engine.Repair {
	t.Helper()
	r := m.NewRepair()
	for _, name := range names {
		stored, found := m.Tensors.Lookup(name)
		if !found || string(stored.Type) != "F32" {
			t.Fatalf("no float32 tensor %s", name)
		}
		var data []byte
		for at := len(stored.Data) - 4; at >= 0; at -= 4 {
			data = append(data, stored.Data[at:at+4]...)
		}
		stored.Data = data
		r.Set(stored)
	}
	return r
}

// Variants with repairs, walked together, score as a model of those tensors walked alone.
func TestRepairsWalkedTogetherEqualModelsOfThem(t *testing.T) {
	for _, on := range devices() {
		m := open(t, "testdata/architectures/llama", on)
		first := otherwise(t, m, "model.layers.1.mlp.down_proj.weight")
		second := otherwise(t, m, "model.layers.2.self_attn.o_proj.weight", "model.layers.1.self_attn.q_proj.weight")
		drops := []engine.Drop{nil, nil, engine.Layers(0), engine.Layers(0), engine.Layers(0), nil, engine.Units(engine.Unit{Layer: 1, Part: engine.MLP}),
			engine.Layers(2)}
		repairs := []*engine.Repair{nil, second, first, nil, second, first, second, second}
		for _, memory := range []int64{0, 1} {
			together := run(t, m, engine.Pass{Sequences: mixed(), Variants: drops, Repairs: repairs, Diverge: true, Memory: memory})
			for v, drop := range drops {
				alone := run(t, m.Repaired(repairs[v]), engine.Pass{Sequences: mixed(), Variants: []engine.Drop{drop}})
				for i := range alone.Scores[0] {
					together.Scores[v][i].KL, together.Scores[v][i].SameTop = 0, 0
					for b := range together.Scores[v][i].Branches {
						together.Scores[v][i].Branches[b].KL, together.Scores[v][i].Branches[b].SameTop = 0, 0
					}
				}
				if difference := cmp.Diff(alone.Scores[0], together.Scores[v]); difference != "" {
					t.Errorf("%s, memory %d: variant %d (- alone, + together):\n%s", on, memory, v, difference)
				}
			}
		}
	}
}

func TestRepair(t *testing.T) {
	m := open(t, "testdata/architectures/llama", "cpu")
	r := otherwise(t, m, "model.layers.1.mlp.down_proj.weight", "model.layers.0.self_attn.q_proj.weight")
	if got, want := r.Names(), []string{"model.layers.0.self_attn.q_proj.weight", "model.layers.1.mlp.down_proj.weight"}; len(got) != 2 ||
		!slices.Contains(want, got[0]) || got[0] == got[1] {
		t.Errorf("names %v, want %v in the files' order", got, want)
	}
	before, _ := m.Tensors.Lookup("model.layers.1.mlp.down_proj.weight")
	after, _ := m.Repaired(r).Tensors.Lookup("model.layers.1.mlp.down_proj.weight")
	if bytes.Equal(before.Data, after.Data) || len(before.Data) != len(after.Data) {
		t.Error("the repaired model has the tensor as it was")
	}
	r.Set(weights.Stored{Name: "model.norm.weight"})
	if _, err := m.Run(t.Context(), engine.Pass{Sequences: mixed(), Repairs: []*engine.Repair{r}}); err == nil || !strings.Contains(err.Error(),
		"model.norm.weight") {
		t.Errorf("a repair outside the layers: %v", err)
	}
	if _, err := m.Run(t.Context(), engine.Pass{Sequences: mixed(), Repairs: []*engine.Repair{nil, nil}}); err == nil || !strings.Contains(err.Error(),
		"2 repairs for 1 variants") {
		t.Errorf("more repairs than variants: %v", err)
	}
}
