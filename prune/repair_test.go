package prune_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/prune"
)

// On the demo without a run of middle layers every repair but the plain cut is nearer to the dense model on text that it was not fitted on, auto
// takes the nearest, and the folder that is written computes what was judged.
func TestRepairOfTheDemo(t *testing.T) {
	m, text := prune.DemoAndText(t, 16384, 0)
	fit, held := text.Split()
	drop := engine.Layers(2, 3, 4, 5)
	options := prune.RepairOptions{Method: prune.RepairAuto, Fit: fit.Sequences, Held: held.Sequences}
	auto, err := prune.Repair(t.Context(), m, drop, options)
	if err != nil {
		t.Fatal(err)
	}
	best := auto.Trials[0]
	for _, trial := range auto.Trials {
		t.Logf("%s: KL %.4f, same top %.3f", trial.Method, trial.KL, trial.SameTop)
		if trial.KL < best.KL {
			best = trial
		}
	}
	if auto.Method != best.Method || auto.Method == prune.RepairNone || auto.Repair == nil || !(best.KL < 0.5*auto.Trials[0].KL) {
		t.Errorf("auto took %s; the nearest is %s with a KL of %.4f, %.4f without repair", auto.Method, best.Method, best.KL, auto.Trials[0].KL)
	}
	options.Method = prune.RepairScale
	scale, err := prune.Repair(t.Context(), m, drop, options)
	if err != nil || len(scale.Trials) != 2 {
		t.Errorf("scale: %+v, %v", scale, err)
	}
	out := filepath.Join(t.TempDir(), "repaired")
	if err := prune.Write(t.Context(), m, drop, out, prune.Options{Repair: auto.Repair}); err != nil {
		t.Fatal(err)
	}
	if none, err := prune.Repair(t.Context(), m, drop, prune.RepairOptions{}); err != nil || none.Repair != nil || none.Method != prune.RepairNone {
		t.Errorf("no repair: %+v, %v", none, err)
	}
	if _, err := prune.ParseRepair("magic"); err == nil {
		t.Error("an unknown repair was taken")
	}
}

// Halves of layers are repaired as layers are, and what was repaired is written beside what was left out.
func TestRepairOfHalves(t *testing.T) {
	m, text := prune.DemoAndText(t, 4096, 0)
	fit, held := text.Split()
	drop, err := engine.ParseDrop("2.attn,3.attn,4.mlp,5.mlp,6,8.mlp")
	if err != nil {
		t.Fatal(err)
	}
	r, err := prune.Repair(t.Context(), m, drop, prune.RepairOptions{Method: prune.RepairRefit, Fit: fit.Sequences, Held: held.Sequences})
	if err != nil {
		t.Fatal(err)
	}
	if r.Repair == nil || !(r.Trials[1].KL < 0.8*r.Trials[0].KL) {
		t.Fatalf("%+v: want less than 0.8 of the plain cut's divergence", r.Trials)
	}
	t.Logf("KL %.4f plain, %.4f refitted", r.Trials[0].KL, r.Trials[1].KL)
	out := filepath.Join(t.TempDir(), "halves")
	if err := prune.Write(t.Context(), m, drop, out, prune.Options{Repair: r.Repair}); err != nil {
		t.Fatal(err)
	}
	written := open(t, out)
	if written.Has(engine.Unit{Layer: 2, Part: engine.Attention}) || written.Layers() != m.Layers()-1 {
		t.Errorf("%d layers, 2.attn there: %t", written.Layers(), written.Has(engine.Unit{Layer: 2, Part: engine.Attention}))
	}
	// It can be cut and fitted further: what it lacks already is no gap.
	var fitted []int
	_, err = written.Fit(t.Context(), engine.Fit{Sequences: fit.Sequences[:2], Drop: engine.Drop{{Layer: 9, Part: engine.MLP}},
		Solve: func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
			fitted = append(fitted, l.Layer)
			return nil, nil
		}})
	if err != nil || len(fitted) == 0 || slices.Min(fitted) != 9 {
		t.Errorf("layers %v were fitted for a gap behind the attention of layer 9: %v", fitted, err)
	}
}
