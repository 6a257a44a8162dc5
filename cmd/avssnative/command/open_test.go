package command

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"avssnative/internal/report"
)

// spare leaves out of a run what no page needs.
var spare = []string{"--generate=0", "--no-timing", "--alternatives=none", "--tasks=small_world_qa"}

// opening is a folder with the program that starts a browser here, as a shell's script.
func opening(t *testing.T, script string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("wants scripts of a shell")
	}
	dir := t.TempDir()
	name := openers[""][0]
	if words := openers[runtime.GOOS]; words != nil {
		name = words[0]
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// readSoon waits for what a program that was started writes.
func readSoon(t *testing.T, path string) string {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(10 * time.Millisecond) {
		if data, err := os.ReadFile(path); err == nil && strings.HasSuffix(string(data), "\n") {
			return string(data)
		}
	}
	t.Fatalf("%s was not written", path)
	return ""
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	said, saved := filepath.Join(dir, "said"), filepath.Join(dir, "saved")
	t.Setenv("PATH", opening(t, `echo "$@" >`+said))
	judge := with("run", quickText, quickTasks, spare, []string{"--open"})
	done(t, append(judge, "--report", saved)...)
	if got := readSoon(t, said); got != filepath.Join(saved, "report.html")+"\n" {
		t.Errorf("opened %q", got)
	}
	// The next command that a report names repeats the flags of the one that made it.
	r, err := report.Read(saved)
	if err != nil || len(r.Command) < 3 || slices.Contains(r.Command, "--open=true") {
		t.Errorf("command %q, %v", r.Command, err)
	}
	for _, more := range [][]string{{}, {"--format", "all"}} {
		if err := os.Remove(said); err != nil {
			t.Fatal(err)
		}
		done(t, append(append([]string{"report", "--open"}, more...), saved)...)
		if got := readSoon(t, said); got != filepath.Join(saved, "report.html")+"\n" {
			t.Errorf("%q opened %q", more, got)
		}
	}
	refused(t, exitUsage, []string{"--open", "--format md"}, "report", "--open", "--format", "md", saved)
	refused(t, exitUsage, []string{"--open has no effect", "without --report"}, judge...)
	if err := os.Remove(filepath.Join(saved, "report.html")); err != nil {
		t.Fatal(err)
	}
	refused(t, exitFailed, []string{"--open", "report --format all"}, "report", "--open", saved)
}

// Where no browser can be started, that is said before any work; where starting it fails, the report is there.
func TestNothingToOpenWith(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", t.TempDir())
	saved := filepath.Join(dir, "saved")
	refused(t, exitUsage, []string{"--open", "no program", "report.html yourself"},
		with("run", quickText, quickTasks, []string{"--open", "--report", saved})...)
	if _, err := os.Stat(saved); err == nil {
		t.Error("the work was done")
	}
	refused(t, exitUsage, []string{"--open", "no program", "address"}, "serve", "--open", dir)
	t.Setenv("PATH", opening(t, "echo no display >&2; exit 3"))
	got := call(t, with("run", quickText, quickTasks, spare, []string{"--open", "--report", saved})...)
	if got.code != exitFailed || !strings.Contains(got.stderr, "no display; open "+filepath.Join(saved, "report.html")) {
		t.Errorf("%d: %s", got.code, got.stderr)
	}
	if _, err := os.Stat(filepath.Join(saved, "report.html")); err != nil {
		t.Error(err)
	}
}
