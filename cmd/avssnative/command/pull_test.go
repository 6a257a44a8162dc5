package command

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"30s": 30 * time.Second, "2m": 2 * time.Minute, "5": 5 * time.Second, "0.5": time.Second / 2,
		"1e2": 100 * time.Second} {
		if got, err := duration(text); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "-5s", "NaN", "Inf", "1e300", "5x", "99999999h"} {
		if got, err := duration(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestPullFlags(t *testing.T) {
	refused(t, exitUsage, []string{"--timeout", "30s"}, "pull", "--timeout", "0", "org/name")
	refused(t, exitUsage, []string{"--timeout"}, "pull", "--timeout", "soon", "org/name")
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	t.Setenv("HF_HOME", "~other/x")
	refused(t, exitFailed, []string{"HF_HOME", "~other/x"}, "pull", "--timeout", "1s", "org/name")
}

func TestPullTasks(t *testing.T) {
	t.Setenv("HF_HUB_CACHE", t.TempDir())
	t.Setenv("HF_ENDPOINT", "http://127.0.0.1:1")
	refused(t, exitUsage, []string{"--tasks"}, "pull")
	refused(t, exitUsage, []string{"--tasks", "org/name"}, "pull", "--tasks", "piqa", "org/name")
	refused(t, exitUsage, []string{"nosuch", "known are"}, "pull", "--tasks", "nosuch")
	refused(t, exitUsage, []string{"small_world_qa", "inside the program"}, "pull", "--tasks", "piqa,small_world_qa")
	refused(t, exitUsage, []string{"wikitext", "--task-data"}, "pull", "--tasks", "wikitext")
	// What is not there is said with how to get it, all of it in one line.
	for _, more := range [][]string{nil, {"--task-data", t.TempDir()}} {
		refused(t, exitUsage, []string{"avssnative pull --tasks piqa,arc_easy fetches"}, append([]string{"eval", "--tasks", "piqa,small_world_qa,arc_easy"}, more...)...)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	refused(t, exitFailed, []string{"piqa", "not in the Hugging Face cache"}, "pull", "--tasks", "piqa")
}
