package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompareReports(t *testing.T) {
	dir := t.TempDir()
	a, b, smaller := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "smaller")
	done(t, with("run", quickText, quickTasks, []string{"--no-timing", "--drop=4", "--report", a, "--out", smaller})...)
	done(t, with("run", quickText, quickTasks, []string{"--no-timing", "--drop=3,14,15", "--report", b})...)
	out := done(t, "compare", a, filepath.Join(b, "report.json"))
	for _, want := range []string{"Two reports", "named by hand", "What goes", "14, 15", "KL(dense ‖ pruned)", "small_world_qa"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	o := object(t, done(t, "compare", "--json", a, b))
	if both := o["plan"].(map[string]any)["both"].([]any); len(both) != 2 {
		t.Errorf("%v", o["plan"])
	}
	out = done(t, "compare", "demo", smaller)
	if !strings.Contains(out, "B has the layers of A without 12–15.") {
		t.Errorf("%s", out)
	}
	o = object(t, done(t, "compare", "--json", "demo", smaller))
	if cut := o["layers"].(map[string]any)["cut"]; cut != true {
		t.Errorf("%v", o["layers"])
	}
	broken := filepath.Join(dir, "broken.json")
	if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, exitUsage, []string{"want two of a kind"}, "compare", a, "demo")
	refused(t, exitUsage, []string{"want two of a kind"}, "compare", "demo", a)
	refused(t, exitUsage, []string{"two reports or two models"}, "compare", a)
	refused(t, exitFailed, []string{"broken.json", "no report"}, "compare", a, broken)
	refused(t, exitFailed, []string{"no such folder"}, "compare", "demo", filepath.Join(dir, "none"))
}
