package command

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// judged are the parts of a report that a repair decides.
var judged = []string{"repair", "results", "retention", "divergence"}

// A repair whose sums are gathered by shards is a single run's, bit for bit, however many there are: with folders of their own, where merges settle every
// step, with one folder, and where they wait for each other.
func TestShardsRepairAsASingleRunDoes(t *testing.T) {
	job := func(method string) []string {
		text := []string{"--drop=4,5,9", "--calib-tokens=1600"}
		if method == "auto" { // what is kept then is no plain cut
			text = []string{"--drop=2,3,4,5", "--calib-tokens=4096"}
		}
		return with("eval", quickTasks, text, []string{"--calib=demo", "--seq-len=64", "--repair=" + method})
	}
	single := func(method string) map[string]any { return object(t, done(t, append(job(method), "--json")...)) }
	same := func(name string, want map[string]any, said string) {
		t.Helper()
		got := object(t, said)
		for _, key := range judged {
			if diff := cmp.Diff(want[key], got[key]); diff != "" || want[key] == nil {
				t.Errorf("%s: %s (- alone, + in shards): %s", name, key, diff)
			}
		}
	}
	methods, most := []string{"lstsq"}, 3
	if !testing.Short() {
		methods, most = []string{"scale", "lstsq"}, 7
	}
	for _, method := range methods {
		want := single(method)
		for n := 1; n <= most; n++ {
			dir := t.TempDir()
			folder := func(i int) string { return filepath.Join(dir, fmt.Sprint(i%(1+n%2*n))) } // an even number shares one
			_, said := inRounds(t, n, folder, job(method), nil)
			same(fmt.Sprint(method, " in ", n), want, said)
		}
	}
	if testing.Short() {
		return
	}
	want, dir := single("auto"), t.TempDir()
	if kept := want["repair"].(map[string]any)["method"]; kept != "refit" {
		t.Errorf("a single run keeps %v, want the repair that has a step for every half", kept)
	}
	var shards sync.WaitGroup
	for i := range 3 {
		shards.Go(func() {
			if c := call(t, append(job("auto"), "--state", dir, "--wait=5m", fmt.Sprintf("--shard=%d/3", i))...); c.code != exitDone {
				t.Errorf("shard %d: %s", i, c.stderr)
			}
		})
	}
	shards.Wait()
	same("auto in 3 that wait", want, done(t, "merge", "--json", dir))
	if left, err := filepath.Glob(filepath.Join(dir, "repair-by-*.[0-9]-of-*")); len(left) > 0 || err != nil {
		t.Errorf("sums are left: %v, %v", left, err)
	}
}
