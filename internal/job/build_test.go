package job

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuildIsWhatTheToolchainNoted(t *testing.T) {
	got := Build{Version: "1"}.with([]debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "abc"},
		{Key: "vcs.modified", Value: "true"}, {Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}})
	want := Build{Version: "1", Commit: "abc", CommitTime: "2026-01-02T03:04:05Z", Modified: true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A released version is dated in CHANGELOG; until then the program says that it is none.
func TestVersionIsTheOneOfTheChangelog(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## ")
	heading, _, _ := strings.Cut(rest, "\n")
	number, unreleased := strings.CutSuffix(Version, "-dev")
	if unreleased != strings.Contains(heading, "Unreleased") || !strings.Contains(heading, number) {
		t.Errorf("CHANGELOG begins with %q, the program is %s", heading, Version)
	}
}
