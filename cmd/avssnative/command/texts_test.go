package command

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Several texts stand side by side in what score and run say; shards leave the same scores; what --calib-choose cannot mean is wrong usage.
func TestSeveralTextsSideBySide(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.txt")
	if err := os.WriteFile(other, []byte(strings.Repeat("SELECT a, b FROM c WHERE d > 12; -- {0.25}\n", 60)), 0o644); err != nil {
		t.Fatal(err)
	}
	quick := []string{"--calib=demo", "--calib", other, "--calib-tokens=600", "--seq-len=40"}
	single, merged, state := filepath.Join(dir, "single.json"), filepath.Join(dir, "merged.json"), filepath.Join(dir, "state")
	command := with("score", quick, []string{"--metrics=kl"})
	o := object(t, done(t, append(command, "--json", "--out", single)...))
	texts := o["texts"].(map[string]any)
	if _, has := texts["chosen"]; has || len(texts["texts"].([]any)) != 2 || texts["best"] == nil {
		t.Errorf("score: %v", texts)
	}
	for _, text := range texts["texts"].([]any) {
		if scores := text.(map[string]any)["scores"].(map[string]any); scores["kl"] == nil || scores["avss"] == nil {
			t.Errorf("no scores of %v", text)
		}
	}
	shards(t, 2, state, command...)
	done(t, "merge", "--out", merged, state)
	if readFile(t, merged) != readFile(t, single) {
		t.Error("merged scores differ from a single run's")
	}

	run := with("run", quick, quickTasks, []string{"--generate=0", "--calib-choose=worst", "--repair=scale", "--no-timing"})
	kept := filepath.Join(dir, "kept")
	o = object(t, done(t, append(run, "--resume", kept, "--json")...))
	texts = o["texts"].(map[string]any)
	best := texts["sets"].([]any)[int(texts["best"].(float64))].(map[string]any)
	if diff := cmp.Diff(best["dropped"], o["plan"].(map[string]any)["dropped"]); diff != "" || texts["chosen"] != "worst" || texts["bridged"] != true {
		t.Errorf("what goes is not the best set: %s\n%v", diff, texts)
	}
	again := object(t, done(t, append(run, "--resume", kept, "--json")...))
	if diff := cmp.Diff(o, again); diff != "" {
		t.Errorf("--resume: %s", diff)
	}
	out := done(t, with("score", quick)...)
	if !strings.Contains(out, "what each one's choice costs on the others") || !strings.Contains(out, "2 of 2") {
		t.Errorf("score shows no texts:\n%s", out)
	}

	two := []string{"--calib=demo", "--calib", other, "--calib-choose=worst"}
	for words, flags := range map[string][]string{
		"joint or worst":    {"--calib=demo", "--calib", other, "--calib-choose=best"},
		"several texts":     {"--calib=demo", "--calib-choose=worst"},
		"names the layers":  slices.Concat(two, []string{"--drop=3,4"}),
		"--target":          slices.Concat(two, []string{"--target=kl 0.1"}),
		"--shares":          slices.Concat(two, []string{"--shares=25"}),
		"no scores of sing": slices.Concat(two, []string{"--metric=greedy"}),
	} {
		refused(t, exitUsage, []string{"--calib-choose", words}, append([]string{"run"}, flags...)...)
	}
	refused(t, exitFailed, []string{"named twice"}, "score", "--calib=demo", "--calib=demo", "--calib-tokens=100")
}
