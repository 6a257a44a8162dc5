//go:build unix

package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/internal/need"
)

// The script runs in bash, which parts words at = and :, and keeps what stands before them.
func TestCompletionInBash(t *testing.T) {
	bash := need.Program(t, "bash")
	cachedModel(t, "org/tiny")
	folder := t.TempDir()
	script := filepath.Join(folder, "completion.bash")
	if err := os.WriteFile(script, []byte(done(t, "completion", "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.Args[0], filepath.Join(folder, "avssnative")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ words, want string }{
		{`avssnative ru`, "run"},
		{`avssnative run --metr`, "--metric"},
		{`avssnative run --metric relm`, "relmag"},
		{`avssnative run --metric = relm`, "relmag"},
		{`avssnative score --model org`, "org/tiny"},
		{`avssnative eval --tasks small_world_st`, "small_world_stories"},
		{`avssnative run --device ref`, "reference"},
		{`avssnative run --device = ref`, "reference"},
		{`avssnative pull "some thing" ''`, ""},
	} {
		run := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile", "-c",
			`source "$1"; eval "COMP_WORDS=($2)"; COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _avssnative; printf '%s\n' "${COMPREPLY[@]}"; complete -p avssnative`,
			"bash", script, c.words)
		run.Env = append(os.Environ(), asProgram+"=1", "PATH="+folder+":"+os.Getenv("PATH"))
		out, err := run.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", c.words, err, out)
		}
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		replies, registered := lines[:len(lines)-1], lines[len(lines)-1]
		if !slices.Equal(replies, []string{c.want}) {
			t.Errorf("%s: %q, want %q", c.words, replies, c.want)
		}
		if registered != "complete -o bashdefault -o default -F _avssnative avssnative" {
			t.Errorf("%s", registered)
		}
	}
}
