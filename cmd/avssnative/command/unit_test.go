package command

import (
	"path/filepath"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/internal/report"
	"avssnative/prune"
)

// Sub-layers are scored, chosen, judged and written as layers are, and called by their names.
func TestSublayers(t *testing.T) {
	dir := t.TempDir()
	pruned, saved := filepath.Join(dir, "pruned"), filepath.Join(dir, "report")
	out := done(t, with("run", quickText, quickTasks, []string{"--unit=sublayer", "--out", pruned, "--report", saved, "--generate=5", "--no-timing"})...)
	for _, want := range []string{"of 32 halves of layers, chosen by AVSS robust, delta", "attentions and MLPs", "7.attn", "nemotron-nas"} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("output lacks %q", want)
		}
	}
	r, err := report.Read(saved)
	if err != nil {
		t.Fatal(err)
	}
	if r.Unit != prune.Sublayer || r.Plan.Unit != prune.Sublayer || len(r.Layers) != 32 || len(r.Plan.Dropped)+len(r.Plan.Kept) != 32 {
		t.Errorf("unit %q, the plan's %q; %d rows, %d dropped, %d kept", r.Unit, r.Plan.Unit, len(r.Layers), len(r.Plan.Dropped), len(r.Plan.Kept))
	}
	m, err := engine.Open(t.Context(), pruned, engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if n, _ := m.Size(nil); n != r.Size.ParametersPruned {
		t.Errorf("%d parameters were written, the report says %d", n, r.Size.ParametersPruned)
	}
	// A saved report is shown again.
	if again := done(t, "report", "--format=csv", saved); !strings.Contains(again, "7.attn") {
		t.Error("the report as csv names no sub-layer")
	}
}

// Scores of sub-layers are kept in a file that says so, and choose sub-layers.
func TestScoresOfSublayers(t *testing.T) {
	dir := t.TempDir()
	scores, pruned := filepath.Join(dir, "scores.json"), filepath.Join(dir, "pruned")
	done(t, with("score", quickText, []string{"--unit=sublayer", "--metrics=kl,greedy", "--greedy-layers=2", "--out", scores})...)
	out := done(t, "prune", "--scores", scores, "--metric=kl", "--drop=12.5%", "--out", pruned)
	if !strings.Contains(out, "halves of layers") && !strings.Contains(out, ".attn") && !strings.Contains(out, ".mlp") {
		t.Errorf("no halves of layers go: %s", out)
	}
	refused(t, exitUsage, []string{"--unit layer", "has scores of other units"}, "prune", "--scores", scores, "--unit=layer", "--drop=2", "--out", pruned+"2")
	refused(t, exitUsage, []string{"--site mlp", "one output"}, with("score", quickText, []string{"--unit=sublayer", "--site=mlp"})...)
	refused(t, exitUsage, []string{"--unit head: want layer or sublayer"}, with("score", quickText, []string{"--unit=head"})...)
	done(t, "prune", "--drop=1,7.attn,11.mlp", "--out", pruned+"3")
	refused(t, exitUsage, []string{"7.head"}, "prune", "--drop=7.head,3", "--out", pruned+"4")
	done(t, with("eval", quickTasks, []string{"--drop=7.attn,11.mlp"})...)
	refused(t, exitUsage, []string{"x.attn"}, with("eval", quickTasks, []string{"--drop=x.attn"})...)
}

// bench compares rankings of sub-layers by what they cost at equal bytes.
func TestBenchOfSublayers(t *testing.T) {
	out := done(t, with("bench", quickText, quickTasks, []string{"--unit=sublayer", "--shares=12.5", "--metrics=avss,bi", "--random=1", "--no-timing"})...)
	if !strings.Contains(out, ".attn") || !strings.Contains(out, "random-0") {
		t.Errorf("no sub-layers, or no baseline: %.400s", out)
	}
}
