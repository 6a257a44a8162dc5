package prune_test

import (
	"path/filepath"
	"testing"

	"avssnative/calib"
	"avssnative/engine"
	"avssnative/prune"
	"avssnative/tokenizer"
)

// On the demo without a run of middle layers every repair but the plain cut is nearer to the dense model on text that it was not fitted on, auto
// takes the nearest, and the folder that is written computes what was judged.
func TestRepairOfTheDemo(t *testing.T) {
	m, err := engine.Open(t.Context(), "demo", engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	words, err := tokenizer.Open(m.Path())
	if err != nil {
		t.Fatal(err)
	}
	text, err := calib.Read(t.Context(), m, words, calib.Options{Tokens: 16384})
	if err != nil {
		t.Fatal(err)
	}
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
