// Package need finds what a test wants beyond the repository: shared data, reference values, programs. Where it is absent the test
// skips and says what was missing; with AVSSNATIVE_REQUIRE=1, as in CI, it fails instead, so that nothing is left out unseen.
package need

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Data returns the path of a file or folder below AVSSNATIVE_DATA (default: shared/data beside the repository).
func Data(t testing.TB, path string) string {
	t.Helper()
	return below(t, "AVSSNATIVE_DATA", "data", path)
}

// Reference returns the path of a file or folder below AVSSNATIVE_REFERENCE (default: shared/reference beside the repository).
func Reference(t testing.TB, path string) string {
	t.Helper()
	return below(t, "AVSSNATIVE_REFERENCE", "reference", path)
}

// Model returns the path of a trained model's file in the folder that AVSSNATIVE_MODELS names (.ci/needs.sh fetches it).
func Model(t testing.TB, name string) string {
	t.Helper()
	folder := os.Getenv("AVSSNATIVE_MODELS")
	found := filepath.Join(folder, name)
	if _, err := os.Stat(found); folder == "" || err != nil {
		Missing(t, "AVSSNATIVE_MODELS/"+name)
	}
	return found
}

// Program returns the path of an executable found in PATH.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "program "+name)
	}
	return path
}

// Python returns the interpreter that AVSSNATIVE_PYTHON names, or python3 where it names none, if it has all of the packages.
func Python(t testing.TB, packages ...string) string {
	t.Helper()
	python := os.Getenv("AVSSNATIVE_PYTHON")
	if python == "" {
		python = Program(t, "python3")
	}
	probe := "import importlib.util as u, sys; sys.exit(', '.join(m for m in sys.argv[1:] if u.find_spec(m) is None) or None)"
	if missing, err := exec.Command(python, append([]string{"-c", probe}, packages...)...).CombinedOutput(); err != nil {
		Missing(t, "Python package "+strings.TrimSpace(string(missing))+" in "+python)
	}
	return python
}

// Missing skips the test, or fails it where everything is required.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("AVSSNATIVE_REQUIRE") == "1" {
		t.Fatalf("%s is missing, and AVSSNATIVE_REQUIRE=1 allows no skip", what)
	}
	t.Skipf("skipped: %s is missing", what)
}

// Root returns the repository's root folder, in which or below which the process was started.
func Root() string {
	if root == "" {
		panic("need: no folder with a go.mod above the one that the process was started in")
	}
	return root
}

// root is found before anybody goes elsewhere; programs built with -trimpath do not know where their sources are.
var root = func() string {
	folder, err := os.Getwd()
	for err == nil {
		if _, absent := os.Stat(filepath.Join(folder, "go.mod")); absent == nil {
			return folder
		}
		if filepath.Dir(folder) == folder {
			break
		}
		folder = filepath.Dir(folder)
	}
	return ""
}()

func below(t testing.TB, variable, folder, path string) string {
	t.Helper()
	base := os.Getenv(variable)
	if base == "" {
		base = filepath.Join(filepath.Dir(Root()), "shared", folder)
	}
	found := filepath.Join(base, filepath.FromSlash(path))
	if _, err := os.Stat(found); err != nil {
		Missing(t, variable+"/"+path)
	}
	return found
}
