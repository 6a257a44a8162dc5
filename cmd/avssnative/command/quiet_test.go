package command

import "testing"

func TestQuiet(t *testing.T) {
	if c := call(t, "generate", "--prompt=One day", "--tokens=3"); c.code != exitDone || c.stderr == "" {
		t.Fatalf("exit code %d, stderr %q: nothing to be silent about", c.code, c.stderr)
	}
	for _, arguments := range [][]string{{"generate", "--quiet", "--prompt=One day", "--tokens=3"}, with("score", quickText, []string{"--quiet"})} {
		if c := call(t, arguments...); c.code != exitDone || c.stderr != "" || c.stdout == "" {
			t.Errorf("%v: exit code %d, stdout of %d bytes, stderr %q", arguments, c.code, len(c.stdout), c.stderr)
		}
	}
	t.Setenv("AVSSNATIVE_QUIET", "true")
	if c := call(t, "generate", "--prompt=One day", "--tokens=3"); c.code != exitDone || c.stderr != "" {
		t.Errorf("by its variable: exit code %d, stderr %q", c.code, c.stderr)
	}
	// What goes wrong is said all the same.
	refused(t, exitUsage, []string{"--limit -1"}, "eval", "--limit=-1")
}
