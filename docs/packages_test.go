package docs_test

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// screens is how many lines the overview of a public package may have: two screens.
const screens = 100

// unshown are the public packages without an example of their own: importing them is all that one does with them, or all there is to them is a
// program's main function, or the interface of the devices, whose example is engine/device's.
var unshown = []string{"cmd/avssnative/command", "cuda", "engine/cpu", "engine/null", "engine/reference", "engine/weights/demo", "engine/weights/hub"}

// public lists the packages that other modules may import, kernels aside, which are the devices' own.
func public(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{if ne .Name \"main\"}}{{.ImportPath}}{{end}}", "../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var rooms []string
	for _, imported := range strings.Fields(string(out)) {
		room := strings.TrimPrefix(imported, "avssnative/")
		inner := strings.Contains(room, "internal/") || strings.HasPrefix(room, "tools/") || strings.HasPrefix(room, "kernels/") ||
			strings.HasPrefix(room, "docs") || strings.HasPrefix(room, "bench/peers/")
		if !inner {
			rooms = append(rooms, room)
		}
	}
	if len(rooms) < 12 {
		t.Fatalf("found %v, want every room in README's table", rooms)
	}
	return rooms
}

// The overview of a public package says what it is, fits two screens, and has an example that runs.
func TestPublicPackagesIntroduceThemselves(t *testing.T) {
	for _, room := range public(t) {
		overview, err := exec.Command("go", "doc", "../"+room).Output()
		if err != nil {
			t.Fatalf("%s: %v", room, err)
		}
		if lines := bytes.Count(overview, []byte("\n")); lines > screens {
			t.Errorf("%s: go doc says %d lines, want %d at most", room, lines, screens)
		}
		if !bytes.Contains(overview, []byte("\n\nPackage "+path.Base(room)+" ")) {
			t.Errorf("%s: go doc does not begin with what the package is", room)
		}
		shown := examples(t, filepath.Join("..", room))
		if bare := slices.Contains(unshown, room); bare == (shown > 0) {
			t.Errorf("%s: %d examples, and in the list of those without: %v", room, shown, bare)
		}
	}
}

// examples counts those of a folder's tests that are run: those that say what they print.
func examples(t *testing.T, folder string) int {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	run := 0
	for _, example := range doc.Examples(files...) {
		if example.Output != "" {
			run++
		}
	}
	return run
}
