package command

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// killed calls the program in a process of its own and kills it after some time; 0 lets it end. Done says that it was quicker.
func killed(t *testing.T, kill time.Duration, arguments ...string) (stdout string, done bool) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, fault bytes.Buffer
	c := exec.Command(self, arguments...)
	c.Env, c.Stdout, c.Stderr = append(os.Environ(), asProgram+"=yes"), &out, &fault
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if kill > 0 {
		timer := time.AfterFunc(kill, func() { _ = c.Process.Kill() })
		defer timer.Stop()
	}
	err = c.Wait()
	if err != nil && (kill == 0 || c.ProcessState.Exited()) {
		t.Fatalf("%v: %v: %s", arguments, err, &fault)
	}
	return out.String(), err == nil
}

func TestKilledAndResumedIsTheSame(t *testing.T) {
	dir := t.TempDir()
	command := with("score", quickText, []string{"--metrics=ppl,kl", "--seed=5"})
	single := filepath.Join(dir, "single.json")
	done(t, append(command, "--out", single)...)
	r := rand.New(rand.NewPCG(1, 17))
	kills := 6
	if testing.Short() {
		kills = 3
	}
	state, out := filepath.Join(dir, "state"), filepath.Join(dir, "out.json")
	command = append(command, "--resume", state, "--out", out, "--json")
	for range kills {
		killed(t, time.Duration(1+r.IntN(1500))*time.Millisecond, command...)
	}
	first, _ := killed(t, 0, command...)
	if readFile(t, out) != readFile(t, single) {
		t.Error("killed and resumed, the scores are not those of a run that was not")
	}
	if again := done(t, command...); again != first {
		t.Errorf("called again when done, it says something else: %s", cmp.Diff(first, again))
	}
	refused(t, exitFailed, []string{state, "scoring is"}, append(command, "--seed=6")...)
	refused(t, exitUsage, []string{"--resume and --state"}, append(command, "--state", state)...)
}

func TestResumedRunSaysTheSame(t *testing.T) {
	dir := t.TempDir()
	command := with("run", quickText, quickTasks, []string{"--generate=2", "--json", "--resume", filepath.Join(dir, "state"), "--out", filepath.Join(dir, "smaller")})
	first := done(t, command...)
	if again := done(t, command...); again != first {
		t.Errorf("called again when done, it says something else: %s", cmp.Diff(first, again))
	}
}
