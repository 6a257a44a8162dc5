package command

import "testing"

func TestTargetAndShares(t *testing.T) {
	o := object(t, done(t, with("run", quickText, quickTasks, []string{"--target", "memory 5MiB ctx 512", "--shares=12.5,50", "--generate=0", "--no-timing", "--json"})...))
	aimed, _ := o["target"].(map[string]any)
	sweep, _ := o["sweep"].(map[string]any)
	points, _ := sweep["points"].([]any)
	if aimed["target"] != "memory 5MiB ctx 512" || len(points) != 2 || aimed["count"] != float64(len(o["plan"].(map[string]any)["dropped"].([]any))) {
		t.Errorf("target %v, %d points", aimed, len(points))
	}
	refused(t, exitUsage, []string{"--target", "kl 0.1", "retention 95%", "speed 1.3x"}, with("run", quickText, quickTasks, []string{"--target", "kl"})...)
	refused(t, exitUsage, []string{"--drop", "--target"}, with("run", quickText, quickTasks, []string{"--target", "kl 1", "--drop=4"})...)
	refused(t, exitUsage, []string{"--shares", "between 0 and 100"}, with("run", quickText, quickTasks, []string{"--shares=150"})...)
	refused(t, exitFailed, []string{"cannot be met", "the most that can go is 15 layers"}, with("run", quickText, quickTasks, []string{"--target", "memory 1KiB"})...)
	refused(t, exitUsage, []string{"prune judges no tasks"}, "prune", "--out", t.TempDir()+"/x", "--target", "retention 95%", "--metric=last")
	refused(t, exitUsage, []string{"--target", "--scores"}, "prune", "--out", t.TempDir()+"/x", "--target", "kl 1")
	pruned := object(t, done(t, with("prune", quickText, []string{"--out", t.TempDir() + "/x", "--target", "kl 0.5", "--metric=last", "--json"})...))
	if aimed, _ := pruned["target"].(map[string]any); aimed["value"] == nil || aimed["value"].(float64) > 0.5 {
		t.Errorf("prune: %v", aimed)
	}
	swept := object(t, done(t, with("bench", quickText, quickTasks, []string{"--metrics=avss", "--shares=25", "--random=1", "--repair=scale", "--no-timing", "--json"})...))
	if points := swept["sweep"].(map[string]any)["points"].([]any); len(points) != 8 || points[1].(map[string]any)["repair"] == nil {
		t.Errorf("bench: %d points", len(points))
	}
}
