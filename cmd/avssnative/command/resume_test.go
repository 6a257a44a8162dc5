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

// A job that has no pass knows its own output by what it kept, and a folder of another job too.
func TestResumedWriting(t *testing.T) {
	model, dir := damaged(t, func(map[string][]byte) {}), t.TempDir()
	state, out := filepath.Join(dir, "state"), filepath.Join(dir, "out")
	command := []string{"prune", "--model", model, "--resume", state, "--json"}
	first := done(t, append(command, "--drop=1,", "--out", out)...)
	weights := readFile(t, filepath.Join(out, "model.safetensors"))
	again := func(when string, same bool) {
		t.Helper()
		said := done(t, append(command, "--drop=1,", "--out", out)...)
		if same && said != first || readFile(t, filepath.Join(out, "model.safetensors")) != weights {
			t.Errorf("%s: other bytes", when)
		}
	}
	again("when done", true)
	if err := os.RemoveAll(out); err != nil {
		t.Fatal(err)
	}
	again("when what it wrote has gone", true)
	refused(t, exitFailed, []string{state, "what goes is", "here it is"}, append(command, "--drop=0,", "--out", out)...)
	refused(t, exitUsage, []string{"--out", "is done and has written " + out}, append(command, "--drop=1,", "--out", out+"2")...)
	// Killed between the model and the report.
	if err := os.Remove(filepath.Join(state, finished)); err != nil {
		t.Fatal(err)
	}
	again("before it was done", false)
	judge := []string{"eval", "--model", model, "--resume", filepath.Join(dir, "judged")}
	done(t, append(judge, "--limit=2")...)
	refused(t, exitFailed, []string{"judging is", "small_world_qa"}, append(judge, "--limit=3")...)
}
