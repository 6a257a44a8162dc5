package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"avssnative/internal/demo"
)

// asProgram makes the tests' own binary the program, for tests that kill it.
const asProgram = "COMMAND_TEST_AS_PROGRAM"

// The demo's model is unpacked into a cache folder of the tests' own, and no variable of the environment sets a flag.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		Main()
	}
	cache, err := os.MkdirTemp("", "avssnative-cache-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("XDG_CACHE_HOME", cache)
	for _, setting := range os.Environ() {
		if name, _, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "AVSSNATIVE_") && !slices.Contains([]string{"AVSSNATIVE_DATA", "AVSSNATIVE_REFERENCE", "AVSSNATIVE_REQUIRE", "AVSSNATIVE_LIBCPU"}, name) {
			os.Unsetenv(name)
		}
	}
	code := m.Run()
	os.RemoveAll(cache)
	os.Exit(code)
}

// output gathers what the program writes; a pass may write progress from another goroutine.
type output struct {
	mutex sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.Buffer.Write(p)
}

// called is what one call of the program came to.
type called struct {
	code           int
	stdout, stderr string
}

func call(t *testing.T, arguments ...string) called {
	t.Helper()
	return callWith(t.Context(), "", arguments...)
}

func callWith(ctx context.Context, stdin string, arguments ...string) called {
	var stdout, stderr output
	code := run(ctx, append([]string{"avssnative"}, arguments...), strings.NewReader(stdin), &stdout, &stderr)
	return called{code, stdout.String(), stderr.String()}
}

// done calls the program and wants it to succeed in silence.
func done(t *testing.T, arguments ...string) string {
	t.Helper()
	c := call(t, arguments...)
	if c.code != exitDone {
		t.Fatalf("%v: exit code %d: %s", arguments, c.code, c.stderr)
	}
	return c.stdout
}

// refused calls the program and wants an exit code and a single line on stderr that holds the words, and nothing on stdout.
func refused(t *testing.T, code int, words []string, arguments ...string) {
	t.Helper()
	c := call(t, arguments...)
	if c.code != code {
		t.Errorf("%v: exit code %d, want %d: %s", arguments, c.code, code, c.stderr)
	}
	line, more, _ := strings.Cut(c.stderr, "\n")
	if !strings.HasPrefix(line, "avssnative: ") || more != "" {
		t.Errorf("%v: want one line, got %q", arguments, c.stderr)
	}
	if len(line) > 2000 {
		t.Errorf("%v: a line of %d characters: %q", arguments, len(line), line)
	}
	for _, word := range words {
		if !strings.Contains(line, word) {
			t.Errorf("%v: %q does not say %q", arguments, line, word)
		}
	}
	if c.stdout != "" {
		t.Errorf("%v: stdout: %q", arguments, c.stdout)
	}
}

// object reads stdout as one JSON object with nothing behind it.
func object(t *testing.T, stdout string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(stdout))
	o := map[string]any{}
	if err := d.Decode(&o); err != nil {
		t.Fatalf("%v: %.200q", err, stdout)
	}
	if d.More() {
		t.Fatalf("more than one JSON value: %.200q", stdout)
	}
	return o
}

// tree lists everything below a folder, hidden or not.
func tree(t *testing.T, folder string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if path != folder {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// quick are flags that make a job on the demo short.
var (
	quickText  = []string{"--calib-tokens=600", "--seq-len=64"}
	quickTasks = []string{"--limit=6"}
)

func with(command string, groups ...[]string) []string {
	return append([]string{command}, slices.Concat(groups...)...)
}

// demoFolder is the demo's model as files.
func demoFolder(t *testing.T) string {
	t.Helper()
	folder, err := demo.Folder()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}
