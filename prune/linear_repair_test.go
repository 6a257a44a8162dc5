package prune_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/prune"

	"github.com/google/go-cmp/cmp"
)

// On the demo without four attentions the linear maps in their place come nearer to the dense model than the plain cut, on text that they were not
// fitted on, and the layers that stay, refitted beside them, nearer still.
func TestLinearMapsOfTheDemo(t *testing.T) {
	m, text := prune.DemoAndText(t, 4096, 0)
	fit, held := text.Split()
	drop := attentions(2, 4, 5, 8)
	r, err := prune.Repair(t.Context(), m, drop, prune.RepairOptions{Method: prune.RepairRefit, Linear: true, Fit: fit.Sequences, Held: held.Sequences})
	if err != nil {
		t.Fatal(err)
	}
	var methods []prune.RepairMethod
	for _, trial := range r.Trials {
		t.Logf("%s: KL %.4f, same top %.3f", trial.Method, trial.KL, trial.SameTop)
		methods = append(methods, trial.Method)
	}
	if !slices.Equal(methods, []prune.RepairMethod{prune.RepairNone, prune.RepairLinear, prune.RepairRefit}) || r.Method != prune.RepairRefit ||
		!(r.Trials[1].KL < 0.8*r.Trials[0].KL) || !(r.Trials[2].KL < r.Trials[1].KL) {
		t.Errorf("%+v, %s kept: want the plain cut, the maps alone and the refit beside them, each nearer than the one before", r.Trials, r.Method)
	}
	if want := []int{2, 4, 5, 8}; !cmp.Equal(r.Linear, want) || !cmp.Equal(r.Repair.Linears(), want) {
		t.Errorf("maps %v, in the repair %v, want %v", r.Linear, r.Repair.Linears(), want)
	}
	alone, err := prune.Repair(t.Context(), m, drop, prune.RepairOptions{Linear: true, Fit: fit.Sequences, Held: held.Sequences})
	if err != nil || alone.Method != prune.RepairLinear || len(alone.Repair.Names()) > 0 {
		t.Errorf("maps alone: %+v, %v", alone, err)
	}
	if _, err := prune.Repair(t.Context(), m, drop, prune.RepairOptions{Linear: true, Method: prune.RepairScale}); err == nil {
		t.Error("scale was taken beside linear maps")
	}
	// A layer that goes whole leaves no map behind.
	if whole, err := prune.Repair(t.Context(), m, engine.Layers(3), prune.RepairOptions{Linear: true}); err != nil || whole.Repair != nil {
		t.Errorf("a whole layer: %+v, %v", whole, err)
	}
}

// A linear map that a file has for an attention is found again from text, but for the ridge.
func TestLinearMapIsFoundAgain(t *testing.T) {
	m := open(t, "../engine/testdata/gguf/llama-f32.gguf")
	out := filepath.Join(t.TempDir(), "planted.gguf")
	if err := prune.Write(t.Context(), m, attentions(1), out, prune.Options{Repair: drawn(t, m, attentions(1))}); err != nil {
		t.Fatal(err)
	}
	random, text := rand.New(rand.NewPCG(3, 4)), make([]engine.Sequence, 16)
	for i := range text {
		for range 40 {
			text[i].IDs = append(text[i].IDs, int32(random.IntN(m.Spec.Vocab)))
		}
	}
	r, err := prune.Repair(t.Context(), open(t, out), attentions(1), prune.RepairOptions{Linear: true, Fit: text[:8], Held: text[8:]})
	if err != nil || len(r.Trials) != 2 || !(r.Trials[1].KL < 1e-3*r.Trials[0].KL) {
		t.Errorf("%+v, %v; want next to no divergence", r, err)
	}
}
