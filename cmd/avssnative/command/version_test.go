package command

import (
	"runtime"
	"strings"
	"testing"

	"avssnative/internal/job"
)

func TestVersion(t *testing.T) {
	out := done(t, "version")
	for _, want := range []string{"avssnative " + job.Version + "\n", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH} {
		if !strings.Contains(out, want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
	o := object(t, done(t, "version", "--json"))
	if o["version"] != job.Version || o["go"] != runtime.Version() || o["platform"] != runtime.GOOS+"/"+runtime.GOARCH {
		t.Errorf("%v", o)
	}
	if _, has := o["modified"].(bool); !has {
		t.Errorf("modified is missing: %v", o)
	}
	if done(t, "--version") != "avssnative version "+job.Version+"\n" {
		t.Error("--version says another version")
	}
	refused(t, exitUsage, []string{"version", "left"}, "version", "left")
}

func TestCommitOfABuild(t *testing.T) {
	for want, b := range map[string]job.Build{
		"not known to this build":               {},
		"abc of 2026-01-02T03:04:05Z":           {Commit: "abc", CommitTime: "2026-01-02T03:04:05Z"},
		"abc of 2026-01-02T03:04:05Z, modified": {Commit: "abc", CommitTime: "2026-01-02T03:04:05Z", Modified: true},
		"abc, modified":                         {Commit: "abc", Modified: true},
	} {
		if got := commitOf(b); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
