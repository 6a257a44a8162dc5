package command

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shards runs the shards of a command in one folder, the last first, and wants each to say what is still to come.
func shards(t *testing.T, n int, state string, arguments ...string) {
	t.Helper()
	for i := n - 1; i >= 0; i-- {
		out := done(t, append(arguments, "--state", state, fmt.Sprintf("--shard=%d/%d", i, n))...)
		if i > 0 && !strings.Contains(out, "avssnative merge "+state) {
			t.Errorf("shard %d of %d says %q", i, n, out)
		}
	}
}

func TestShardsMergeToWhatASingleRunFinds(t *testing.T) {
	dir := t.TempDir()
	command := with("score", quickText, []string{"--metrics=ppl,kl", "--seed=3"})
	single := filepath.Join(dir, "single.json")
	done(t, append(command, "--out", single)...)
	for n := 1; n <= 7; n++ {
		state, merged := filepath.Join(dir, fmt.Sprint(n)), filepath.Join(dir, fmt.Sprint(n, ".json"))
		shards(t, n, state, command...)
		// The folder may be elsewhere by then, and what is not the job's own does not matter.
		moved := state + "-moved"
		if err := os.Rename(state, moved); err != nil {
			t.Fatal(err)
		}
		done(t, "merge", "--out", merged, moved)
		if readFile(t, merged) != readFile(t, single) {
			t.Errorf("%d shards: scores.json differs from a single run's", n)
		}
	}
}

func TestSearchesAndSweepsGoOnWithWhatTheirShardsHaveFound(t *testing.T) {
	dir := t.TempDir()
	// Two rounds of a search are two rounds of shards; one that finds the others' first round there goes on at once.
	greedy := with("score", []string{"--calib-tokens=200", "--seq-len=50", "--metrics=greedy", "--greedy-layers=2"})
	single, merged, state := filepath.Join(dir, "single.json"), filepath.Join(dir, "merged.json"), filepath.Join(dir, "greedy")
	done(t, append(greedy, "--out", single)...)
	for i := range 2 {
		done(t, append(greedy, "--state", state, fmt.Sprintf("--shard=%d/2", i))...)
	}
	if c := call(t, "merge", state); c.code != exitGoesOn || !strings.Contains(c.stdout, "greedy removal (pass 1) is next") {
		t.Errorf("exit code %d, %s%s", c.code, c.stdout, c.stderr)
	}
	refused(t, exitFailed, []string{"greedy removal (pass 1)", "shards 0 of 2 are missing"}, "merge", state) // nothing has come since
	shards(t, 2, state, greedy...)
	done(t, "merge", "--out", merged, state)
	if readFile(t, merged) != readFile(t, single) {
		t.Error("greedy: the merged scores differ from a single run's")
	}

	sweep := with("bench", quickText, quickTasks, []string{"--metrics=avss", "--shares=25", "--random=1", "--generate=0"})
	want := object(t, done(t, append(sweep, "--json")...))
	_, said := inRounds(t, 3, func(int) string { return filepath.Join(dir, "sweep") }, sweep, nil)
	got := object(t, said)
	for _, o := range []map[string]any{want, got} { // times are a single run's alone
		s := o["sweep"].(map[string]any)
		delete(s, "seconds")
		for _, p := range append(s["points"].([]any), s["dense"]) {
			delete(p.(map[string]any), "tokens_per_s")
			delete(p.(map[string]any), "generated_per_s")
		}
	}
	for _, key := range []string{"scores", "sweep", "alternatives", "model", "calibration", "device"} {
		if diff := cmp.Diff(want[key], got[key]); diff != "" {
			t.Errorf("bench: %s: %s", key, diff)
		}
	}

	asks := filepath.Join(dir, "asks.jsonl")
	items := `{"prompt":"Tom has a red","until":["."],"answers":["ball"]}` + "\n" + `{"prompt":"Anna likes","until":["."],"answers":["dogs"]}` + "\n"
	if err := os.WriteFile(asks, []byte(items), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, judge := range []struct {
		name   string
		shards int
		job    []string
	}{
		{"eval", 4, with("eval", quickTasks, []string{"--drop=14,15"})},
		{"eval of what it says", 5, with("eval", []string{"--tasks=asks=" + asks, "--drop=14,15"})},
		{"eval of a repair", 6, with("eval", quickTasks, []string{"--drop=4,5", "--repair=scale", "--calib=demo", "--calib-tokens=200"})},
	} {
		want = object(t, done(t, append(judge.job, "--json")...))
		_, said := inRounds(t, judge.shards, func(int) string { return filepath.Join(dir, judge.name) }, judge.job, nil)
		got = object(t, said)
		for _, key := range []string{"tasks", "results", "retention", "divergence", "repair"} {
			if diff := cmp.Diff(want[key], got[key]); diff != "" {
				t.Errorf("%s: %s: %s", judge.name, key, diff)
			}
		}
	}
}

// inRounds runs the shards of a job, in another order every time, and merges, again and again as an engine does, until the merge says that the job is
// done. folder is where a shard leaves its parts; said is what the last merge prints.
func inRounds(t *testing.T, n int, folder func(shard int) string, job, merge []string) (rounds int, said string) {
	t.Helper()
	for rounds = 1; rounds <= 60; rounds++ {
		var folders []string
		for _, i := range rand.New(rand.NewPCG(uint64(n), uint64(rounds))).Perm(n) {
			done(t, append(job, "--state", folder(i), fmt.Sprintf("--shard=%d/%d", i, n))...)
			if !slices.Contains(folders, folder(i)) {
				folders = append(folders, folder(i))
			}
		}
		c := call(t, append(append([]string{"merge", "--json"}, merge...), folders...)...)
		switch c.code {
		case exitDone:
			return rounds, c.stdout
		case exitGoesOn:
			o := object(t, c.stdout)
			if o["finished"] != false || len(o["decided"].([]any)) == 0 || len(o["next"].([]any)) == 0 || c.stderr != "" {
				t.Fatalf("round %d: %s%s", rounds, c.stdout, c.stderr)
			}
			if !there(filepath.Join(folders[0], "next.json")) {
				t.Fatalf("round %d: the work that is next is not in the folder", rounds)
			}
		default:
			t.Fatalf("round %d: exit code %d: %s", rounds, c.code, c.stderr)
		}
	}
	t.Fatal("the job does not end")
	return 0, ""
}

// A search whose shards see nothing of each other but what merges decide comes to the bits of a single run; so do such as share a folder, which go
// on by themselves where they can.
func TestAMergeDecidesTheRoundsOfASearch(t *testing.T) {
	dir := t.TempDir()
	job := with("score", []string{"--calib-tokens=300", "--seq-len=32", "--search-tokens=64", "--metric=search", "--greedy-layers=1"})
	single := filepath.Join(dir, "single.json")
	done(t, append(job, "--out", single)...)
	for name, folder := range map[string]func(int) string{
		"apart":    func(i int) string { return filepath.Join(dir, "apart", fmt.Sprint(i)) },
		"together": func(int) string { return filepath.Join(dir, "together") },
	} {
		merged := filepath.Join(dir, name+".json")
		n := map[string]int{"apart": 2, "together": 5}[name]
		rounds, _ := inRounds(t, n, folder, job, []string{"--out", merged})
		if readFile(t, merged) != readFile(t, single) {
			t.Errorf("%s: the merged scores differ from a single run's", name)
		}
		if there(filepath.Join(folder(0), "next.json")) {
			t.Errorf("%s: the job is done, and something is still next", name)
		}
		t.Logf("%s: %d rounds", name, rounds)
	}
}

func TestShardsOfOtherJobsAreRefused(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	quick := []string{"--calib-tokens=100", "--seq-len=50"}
	one := with("score", quick, []string{"--state", state})
	done(t, append(one, "--shard=0/2")...)
	refused(t, exitFailed, []string{state, "scoring is"}, append(one, "--shard=1/2", "--seed=9")...)
	refused(t, exitFailed, []string{state, "calibration text is"}, with("score", []string{"--calib-tokens=150", "--seq-len=50", "--state", state, "--shard=1/2"})...)
	refused(t, exitFailed, []string{state, "model is"}, append(one, "--shard=1/2", "--model", damaged(t, func(map[string][]byte) {}))...)
	refused(t, exitFailed, []string{state, "in 2 shards", "has 3"}, append(one, "--shard=1/3")...)
	refused(t, exitFailed, []string{state, "shards 1 of 2 are missing"}, "merge", state)
	refused(t, exitUsage, []string{"--shard 0/2", "--state"}, with("score", quick, []string{"--shard=0/2"})...)
	refused(t, exitUsage, []string{"--shard", "2/2"}, append(one, "--shard=2/2")...)
	refused(t, exitUsage, []string{"--calib -"}, append(one, "--shard=1/2", "--calib=-")...)
	refused(t, exitUsage, []string{"merge", "--state"}, "merge")
	refused(t, exitUsage, []string{"--samples", "score"}, "merge", "--samples=x.jsonl", state)
	refused(t, exitFailed, []string{"no such file"}, "merge", state+"-nowhere")
}
