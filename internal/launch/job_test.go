package launch

import (
	"os/exec"
	"strings"
	"testing"
)

// A shell reads every word as it was.
func TestQuotedWordsAreReadBack(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	words := []string{"plain", "two words", "it's", `"$HOME" \ ` + "`x`", "", "a;b&c|d>e", "ü", "--calib=a b.txt", "*", "~"}
	out, err := exec.Command(shell, "-c", "printf '%s\\n' "+strings.Join(quoted(words), " ")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), strings.Join(words, "\n")+"\n"; got != want {
		t.Errorf("the shell reads %q, want %q", got, want)
	}
}

func TestWhatCannotBeLaunched(t *testing.T) {
	good := Job{Command: []string{"score"}, State: "/data/s", Shards: 2, Image: "i", Volumes: []Volume{{"data", "/data"}}}
	var b strings.Builder
	if err := good.Slurm(&b); err != nil {
		t.Fatal(err)
	}
	if err := good.Kubernetes(&b); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*Job){
		"name":      func(j *Job) { j.Name = "$(x)" },
		"command":   func(j *Job) { j.Command = nil },
		"shards":    func(j *Job) { j.Shards = 0 },
		"state":     func(j *Job) { j.State = "" },
		"graphics":  func(j *Job) { j.GPUs = -1 },
		"partition": func(j *Job) { j.Partition = "a b" },
	} {
		j := good
		spoil(&j)
		if err := j.Slurm(&b); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
