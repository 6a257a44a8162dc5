package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/internal/need"
)

const twoModels = "models:\n  - {name: small, model: /m/small one}\n  - name: large\n    model: /m/large\n    shards: 3\n    flags: [--drop, '25%']\n"

// sweepOf writes a sweep's file.
func sweepOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sweep.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaunchSweepOnSlurm(t *testing.T) {
	bash := need.Program(t, "bash")
	folder := t.TempDir()
	state := filepath.Join(folder, "state")
	script := filepath.Join(folder, "job.sh")
	printed := done(t, "launch", "slurm", "--sweep", sweepOf(t, twoModels), "--shards=2", "--state", state, "--program=echo", "--report={name}-report", "--", "eval", "--limit=8")
	if err := os.WriteFile(script, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	// A program that stands for sbatch counts its calls and prints what it was given.
	if err := os.WriteFile(filepath.Join(folder, "sbatch"), []byte("#!"+bash+"\necho \"$*\" >>\""+folder+"/calls\"\nwc -l <\""+folder+"/calls\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	say := func(variable string, arguments ...string) string {
		c := exec.Command(bash, append([]string{script}, arguments...)...)
		c.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), variable)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", arguments, err, out)
		}
		return string(out)
	}
	for task, want := range []string{
		"eval --limit=8 --model=/m/small one --shard=0/2 --state=" + state + "/small --threads=1\n",
		"eval --limit=8 --model=/m/small one --shard=1/2 --state=" + state + "/small --threads=1\n",
		"eval --limit=8 --model=/m/large --drop 25% --shard=0/3 --state=" + state + "/large --threads=1\n",
		"eval --limit=8 --model=/m/large --drop 25% --shard=1/3 --state=" + state + "/large --threads=1\n",
		"eval --limit=8 --model=/m/large --drop 25% --shard=2/3 --state=" + state + "/large --threads=1\n",
	} {
		if got := say("SLURM_ARRAY_TASK_ID="+string(rune('0'+task)), "shard"); got != want {
			t.Errorf("task %d calls %q, want %q", task, got, want)
		}
	}
	if got, want := say("X=", "merge", "large"), "merge --report=large-report "+state+"/large\n"; got != want {
		t.Errorf("the merge calls %q, want %q", got, want)
	}
	// Each merge waits for its own model's tasks; those that are submitted again bring the merges of their models alone.
	say("X=")
	say("X=", "1,3-4")
	calls := strings.Split(strings.TrimSpace(readFile(t, filepath.Join(folder, "calls"))), "\n")
	wants := [][]string{{"--array=0-4 "}, {"afterok:1_0:1_1 ", "merge small"}, {"afterok:1_2:1_3:1_4 ", "merge large"},
		{"--array=1,3-4 "}, {"afterok:4_1 ", "merge small"}, {"afterok:4_3:4_4 ", "merge large"}}
	if len(calls) != len(wants) {
		t.Fatalf("%d calls of sbatch, want %d: %q", len(calls), len(wants), calls)
	}
	for i, words := range wants {
		for _, word := range words {
			if !strings.Contains(calls[i]+" ", word) {
				t.Errorf("call %d of sbatch lacks %q: %q", i, word, calls[i])
			}
		}
	}
	say("X=", "0")
	if calls := strings.Split(strings.TrimSpace(readFile(t, filepath.Join(folder, "calls"))), "\n"); len(calls) != 8 || !strings.Contains(calls[7], "afterok:7_0 ") {
		t.Errorf("a task submitted again: %q", calls[6:])
	}
}

func TestLaunchSweepOnKubernetes(t *testing.T) {
	out := done(t, "launch", "k8s", "--sweep", sweepOf(t, twoModels), "--shards=2", "--state=/data/s", "--image=i", "--volume=data:/data", "--report=/data/{name}", "--", "eval")
	for _, want := range []string{"completions: 5\n", "name: avssnative-merge-small\n", "name: avssnative-merge-large\n", `--report=/data/large --wait=24h /data/s/large"`,
		`if [ \"$JOB_COMPLETION_INDEX\" -lt 2 ]; then part=$((JOB_COMPLETION_INDEX - 0)); exec avssnative eval '--model=/m/small one' --shard=\"$part/2\" --state=/data/s/small --threads=1; elif`,
		`-lt 5 ]; then part=$((JOB_COMPLETION_INDEX - 2)); exec avssnative eval --model=/m/large --drop 25% --shard=\"$part/3\" --state=/data/s/large --threads=1; fi"`} {
		if !strings.Contains(out, want) {
			t.Errorf("the manifests lack %q:\n%s", want, out)
		}
	}
}

func TestSweepsThatCannotBe(t *testing.T) {
	call := func(text string, job ...string) []string {
		return append([]string{"launch", "slurm", "--shards=2", "--state=s", "--sweep", sweepOf(t, text), "--out={name}.json", "--"}, job...)
	}
	for _, refusal := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{"no models"}, call("", "score")},
		{[]string{"modles"}, call("modles: []", "score")},
		{[]string{"two models are called a"}, call("models: [{name: a, model: m}, {name: a, model: n}]", "score")},
		{[]string{"lower-case"}, call("models: [{name: A b, model: m}]", "score")},
		{[]string{"a: no model"}, call("models: [{name: a}]", "score")},
		{[]string{"-1 shards"}, call("models: [{name: a, model: m, shards: -1}]", "score")},
		{[]string{"at most 100000"}, call("models: [{name: a, model: m, shards: 100001}]", "score")},
		{[]string{"sweep.yaml", "a: ", "no flag --metirc"}, call("models: [{name: a, model: m, flags: [--metirc=bi]}]", "score")},
		{[]string{"--model behind --"}, call("models: [{name: a, model: m}]", "score", "--model=x")},
		{[]string{"no such file"}, []string{"launch", "slurm", "--shards=2", "--state=s", "--sweep=nowhere.yaml", "--", "score"}},
		{[]string{"--report=x", "{name}"}, []string{"launch", "slurm", "--shards=2", "--state=s", "--sweep", sweepOf(t, twoModels), "--report=x", "--", "eval"}},
	} {
		refused(t, exitUsage, refusal.words, refusal.arguments...)
	}
}
