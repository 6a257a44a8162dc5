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
