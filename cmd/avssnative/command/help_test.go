package command

import (
	"fmt"
	"strings"
	"testing"
)

func TestHelpNamesExitCodes(t *testing.T) {
	out := done(t, "--help")
	_, codes, found := strings.Cut(out, "Exit codes:")
	codes, _, _ = strings.Cut(codes, "COMMANDS")
	if !found {
		t.Fatalf("no exit codes: %s", out)
	}
	for _, code := range []int{exitDone, exitFailed, exitUsage, exitInterrupted} {
		if !strings.Contains(codes, fmt.Sprintf("\n     %d ", code)) {
			t.Errorf("exit code %d is not there: %s", code, codes)
		}
	}
	for _, line := range strings.Split(codes, "\n") {
		if len(line) > 80 {
			t.Errorf("too wide: %s", line)
		}
	}
}
