//go:build unix

package command

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is the program as a process of its own.
func program(t *testing.T, arguments ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	c.Env = append(os.Environ(), asProgram+"=1")
	complaints := &bytes.Buffer{}
	c.Stderr = complaints
	return c, complaints
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// Signals end the program, whatever it is doing, with the code that says so, and leave nothing half-made.
func TestSignals(t *testing.T) {
	long := written(t, strings.Repeat("a b c d e f g h ", 4_000_000), t.TempDir(), "long.txt")
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		out := t.TempDir()
		c, complaints := program(t, "run", "--calib", long, "--calib-tokens=100000000", "--seq-len=64", "--out", filepath.Join(out, "pruned"), "--report", filepath.Join(out, "report"))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if code := exitCode(c.Wait()); code != exitInterrupted || !strings.Contains(complaints.String(), "interrupted") {
			t.Errorf("%v: exit code %d: %s", signal, code, complaints)
		}
		if left := tree(t, out); len(left) > 0 {
			t.Errorf("%v: left behind: %v", signal, left)
		}
	}
}

// A pipe that nobody reads is a failure without a word; a device that is full is one with a word.
func TestBrokenPipe(t *testing.T) {
	for _, arguments := range [][]string{{"devices"}, {"--help"}, {"score", "--calib-tokens=300", "--json"}, {"score", "--calib-tokens=300"}, {"show", "demo"},
		{"version"}, {"man"}, {"completion", "bash"}, {"completion", "words", "bash", "run", "--"}} {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		c, complaints := program(t, arguments...)
		c.Stdout = write
		read.Close()
		if code := exitCode(c.Run()); code != exitFailed || complaints.Len() > 0 {
			t.Errorf("%v: exit code %d: %q", arguments, code, complaints)
		}
		write.Close()
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			continue
		}
		c, complaints = program(t, arguments...)
		c.Stdout = full
		if code := exitCode(c.Run()); code != exitFailed || !strings.Contains(complaints.String(), "stdout: no space left") {
			t.Errorf("%v: exit code %d: %q", arguments, code, complaints)
		}
		full.Close()
	}
}

// A run whose results nobody is there to read ends while it works, without a complaint and with nothing left.
func TestNobodyReads(t *testing.T) {
	long := written(t, strings.Repeat("a b c d e f g h ", 4_000_000), t.TempDir(), "long.txt")
	out := t.TempDir()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c, complaints := program(t, "run", "--calib", long, "--calib-tokens=100000000", "--seq-len=64", "--out", filepath.Join(out, "pruned"), "--report", filepath.Join(out, "report"))
	c.Stdout = write
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	time.Sleep(500 * time.Millisecond)
	read.Close()
	if code := exitCode(c.Wait()); code != exitFailed || strings.Contains(complaints.String(), "avssnative:") {
		t.Errorf("exit code %d: %q", code, complaints)
	}
	if left := tree(t, out); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What a killed run leaves beside its place goes with the next run to the same name.
func TestKilled(t *testing.T) {
	model, dir := damaged(t, func(map[string][]byte) {}), t.TempDir()
	// A companion that takes long: the run is killed while it copies.
	if err := os.Truncate(written(t, "", model, "tokenizer.big"), 8<<30); err != nil {
		t.Skip(err)
	}
	out := filepath.Join(dir, "pruned")
	c, _ := program(t, "prune", "--model", model, "--drop", "1,", "--out", out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// What is being written comes and goes while it is looked at. The check of the place has four entries for a moment; a fifth is the model's.
	for left := 0; left < 5; time.Sleep(time.Millisecond) {
		left = 0
		_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && path != dir {
				left++
			}
			return nil
		})
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(c.Wait()); code == exitDone {
		t.Skip("it was done before it was killed")
	}
	if len(tree(t, dir)) == 0 {
		t.Fatal("nothing was left that could be cleared")
	}
	if err := os.Remove(filepath.Join(model, "tokenizer.big")); err != nil {
		t.Fatal(err)
	}
	done(t, "prune", "--model", model, "--drop", "1,", "--out", out)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d entries beside the output", len(entries))
	}
}
