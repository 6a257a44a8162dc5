package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/internal/need"
)

func TestLaunchSlurmPrintsAScriptThatSubmitsItself(t *testing.T) {
	folder := t.TempDir()
	state := filepath.Join(folder, "the state's")
	script := done(t, "launch", "slurm", "--shards=4", "--state", state, "--program", "echo", "--cpus=3", "--gpus=2", "--memory=10GiB", "--time=90m", "--out=s.json",
		"--", "bench", "--metrics=avss", "--calib", "a text.txt")
	for _, want := range []string{"#SBATCH --cpus-per-task=3\n", "#SBATCH --gpus-per-task=2\n", "#SBATCH --mem=11264M\n", "#SBATCH --time=90\n", "shards=4 rounds=2 "} {
		if !strings.Contains(script, want) {
			t.Errorf("the script lacks %q:\n%s", want, script)
		}
	}
	path := filepath.Join(folder, "job.sh")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	bash := need.Program(t, "bash")
	// A program that stands for sbatch counts its calls and prints what it was given.
	if err := os.WriteFile(filepath.Join(folder, "sbatch"), []byte("#!"+bash+"\necho \"$*\" >>\""+folder+"/calls\"\nwc -l <\""+folder+"/calls\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	say := func(variable string, arguments ...string) string {
		c := exec.Command(bash, append([]string{path}, arguments...)...)
		c.Env = append(os.Environ(), "PATH="+folder+":"+os.Getenv("PATH"), variable)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", arguments, err, out)
		}
		return string(out)
	}
	// A shard that is submitted again sees an array of one; the number of shards stays.
	if got, want := say("SLURM_ARRAY_TASK_ID=2", "shard"), "bench --metrics=avss --calib a text.txt --memory=10240MiB --shard=2/4 --state="+state+" --threads=3\n"; got != want {
		t.Errorf("a shard calls %q, want %q", got, want)
	}
	if got, want := say("X=", "merge"), "merge --out=s.json "+state+"\n"; got != want {
		t.Errorf("the merge calls %q, want %q", got, want)
	}
	say("X=")
	say("X=", "1,3")
	after := "--dependency=afterok:%d --kill-on-invalid-dep=yes "
	calls := strings.Split(strings.TrimSpace(readFile(t, filepath.Join(folder, "calls"))), "\n")
	for i, want := range []string{"--array=0-3 ", "--array=0-3 ", "--cpus-per-task=1 --gpus-per-task=0 ", "--array=1,3 ", "--array=0-3 ", "--cpus-per-task=1 "} {
		if i >= len(calls) || !strings.Contains(calls[i], want) {
			t.Fatalf("call %d of sbatch lacks %q: %q", i, want, calls)
		}
		if depends := strings.Contains(calls[i], strings.Replace(after, "%d", string(rune('0'+i)), 1)); depends != (i%3 > 0) {
			t.Errorf("call %d of sbatch: %q: depends on the one before: %v", i, calls[i], depends)
		}
	}
}

func TestLaunchRefusesWhatCannotRunInShards(t *testing.T) {
	slurm := []string{"launch", "slurm", "--shards=2", "--state=s", "--"}
	k8s := []string{"launch", "k8s", "--shards=2", "--state=/data/s", "--image=i", "--volume=data:/data", "--", "score"}
	if out := done(t, k8s...); !strings.Contains(out, "completions: 2\n") || !strings.Contains(out, "claimName: data\n") {
		t.Errorf("%s", out)
	}
	for _, refusal := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{"slurm or k8s"}, []string{"launch"}},
		{[]string{"--shards"}, []string{"launch", "slurm", "--", "score"}},
		{[]string{"score, eval or bench", "prune"}, append(slurm, "prune")},
		{[]string{"score: no flag --metirc, perhaps --metric"}, append(slurm, "score", "--metirc=bi")},
		{[]string{"--state", "in front of --"}, append(slurm, "score", "--state=x")},
		{[]string{"--one-by-one"}, append(slurm, "bench", "--one-by-one")},
		{[]string{"unexpected", "left"}, append(slurm, "score", "left")},
		{[]string{"image"}, []string{"launch", "k8s", "--shards=2", "--state=/data/s", "--volume=data:/data", "--", "score"}},
		{[]string{"lies in no volume"}, []string{"launch", "k8s", "--shards=2", "--state=/database/s", "--image=i", "--volume=data:/data", "--", "score"}},
		{[]string{"CLAIM:/path"}, []string{"launch", "k8s", "--shards=2", "--state=/data/s", "--image=i", "--volume=data", "--", "score"}},
		{[]string{"lower-case"}, []string{"launch", "slurm", "--shards=2", "--state=s", "--name=A b", "--", "score"}},
	} {
		refused(t, exitUsage, refusal.words, refusal.arguments...)
	}
	if out := done(t, append(slurm, "score", "--metrics=greedy", "--greedy-layers=3")...); !strings.Contains(out, "rounds=3 ") {
		t.Errorf("a search of three rounds: %s", out)
	}
	// How many rounds there are shows as they are decided: the merge submits the next one.
	for _, metric := range []string{"greedy", "search"} {
		for _, want := range []string{"rounds=1 ", `[ "$code" -eq 3 ] || exit "$code"`} {
			if out := done(t, append(slurm, "score", "--metrics="+metric)...); !strings.Contains(out, want) {
				t.Errorf("%s: no %s in %s", metric, want, out)
			}
		}
		if out := done(t, append(k8s, "--metrics="+metric)...); strings.Count(out, "--wait=24h") != 2 {
			t.Errorf("%s: the shards do not wait for each other: %s", metric, out)
		}
	}
}
