package command

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A search names the set that goes, says what it measured, is kept by --resume, and tells bench what every other choice costs more.
func TestSearchChoosesTheSet(t *testing.T) {
	dir := t.TempDir()
	quick := []string{"--calib-tokens=300", "--seq-len=32", "--search-tokens=128"}
	command := with("score", quick, []string{"--metric=search", "--greedy-layers=2", "--beam=2"})
	single, kept, state := filepath.Join(dir, "single.json"), filepath.Join(dir, "kept.json"), filepath.Join(dir, "state")
	done(t, append(command, "--out", single)...)
	for range 2 {
		done(t, append(command, "--resume", state, "--force", "--out", kept)...)
		if readFile(t, kept) != readFile(t, single) {
			t.Error("--resume: other scores than of a search at one go")
		}
	}
	o := object(t, done(t, with("run", quick, quickTasks, []string{"--metric=search", "--drop=2", "--generate=0", "--no-timing", "--json"})...))
	scores := o["scores"].(map[string]any)["search"].(map[string]any)
	sets := scores["sets"].([]any)
	if diff := cmp.Diff(sets[0].(map[string]any)["layers"], o["plan"].(map[string]any)["dropped"]); len(sets) != 1 || diff != "" {
		t.Errorf("%d sets; what goes is another than was found:\n%s", len(sets), diff)
	}
	if len(scores["proposed"].([]any)) == 0 {
		t.Error("no score has proposed a set")
	}
	o = object(t, done(t, with("bench", quick, quickTasks, []string{"--metrics=avss,bi,search", "--shares=6,12", "--random=1", "--no-timing", "--json"})...))
	for _, p := range o["sweep"].(map[string]any)["points"].([]any) {
		point := p.(map[string]any)
		regret, some := point["regret"].(float64)
		switch metric := point["metric"].(string); {
		case metric == "search" && (!some || regret != 0):
			t.Errorf("the search regrets %v", point["regret"])
		case (metric == "avss" || metric == "bi") && (!some || regret < 0):
			t.Errorf("%s: %v layers: regret %v", metric, point["count"], point["regret"])
		}
	}
	if out := done(t, with("bench", quick, quickTasks, []string{"--metrics=bi,search", "--shares=6", "--random=1", "--no-timing"})...); !strings.Contains(out, "regret") {
		t.Errorf("bench prints no regret:\n%s", out)
	}
	for _, wrong := range [][]string{{"--beam=0"}, {"--objective=speed"}, {"--search-tokens=-1"}} {
		refused(t, exitUsage, []string{strings.SplitN(wrong[0], "=", 2)[0]}, append(command, wrong...)...)
	}
	refused(t, exitUsage, []string{"--beam", "search is not measured"}, "score", "--beam=2")
	refused(t, exitFailed, []string{"--drop 3", "search looked for sets of 2"}, "prune", "--scores", single, "--metric=search", "--drop=3", "--out", filepath.Join(dir, "out"))
}
