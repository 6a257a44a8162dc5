// Command rooms draws the picture of the project's rooms in docs/architecture.md from what `go list` says, so that it is never out of date:
//
//	go run ./tools/rooms          # writes the picture
//
// Its test holds the doors shut: which room may import which is the table `allowed` in doors.go.
package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

const (
	module   = "avssnative"
	document = "docs/architecture.md"
	begin    = "<!-- rooms: drawn by go run ./tools/rooms -->"
	end      = "<!-- rooms end -->"
)

func main() {
	if err := draw("."); err != nil {
		fmt.Fprintln(os.Stderr, "rooms:", err)
		os.Exit(1)
	}
}

// draw puts the picture of the module at root between its marks in the document.
func draw(root string) error {
	text, picture, err := both(root)
	if err != nil {
		return err
	}
	before, rest, _ := strings.Cut(text, begin)
	_, after, _ := strings.Cut(rest, end)
	return os.WriteFile(root+"/"+document, []byte(before+begin+"\n"+picture+end+after), 0o644)
}

// both is the document's text and the picture that should stand in it.
func both(root string) (text, picture string, err error) {
	data, err := os.ReadFile(root + "/" + document)
	if err != nil {
		return "", "", err
	}
	if !strings.Contains(string(data), begin) || !strings.Contains(string(data), end) {
		return "", "", fmt.Errorf("%s: no place for the picture: want the lines %q and %q", document, begin, end)
	}
	imports, err := list(root)
	if err != nil {
		return "", "", err
	}
	return string(data), render(imports), nil
}

// list gives each package of the module, by its folder, and the folders of the packages of the module that it imports. Tests do not count.
func list(root string) (map[string][]string, error) {
	command := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles,CgoFiles", "./...")
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	imports := map[string][]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			ImportPath                 string
			Imports, GoFiles, CgoFiles []string
		}
		if err := d.Decode(&p); err != nil {
			return nil, err
		}
		if len(p.GoFiles)+len(p.CgoFiles) == 0 { // tests alone
			continue
		}
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		imports[name] = nil
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, module+"/"); ours {
				imports[name] = append(imports[name], to)
			}
		}
	}
	return imports, nil
}

// render draws the public rooms as a Mermaid graph, and lists what every room imports.
func render(imports map[string][]string) string {
	var b strings.Builder
	b.WriteString("```mermaid\ngraph TD\n")
	shown := func(name string) bool {
		return !strings.HasPrefix(name, "internal/") && !strings.HasPrefix(name, "tools/") && !strings.HasPrefix(name, "bench/peers")
	}
	for _, from := range slices.Sorted(maps.Keys(imports)) {
		for _, to := range imports[from] {
			if shown(from) && shown(to) {
				fmt.Fprintf(&b, "  %s[%s] --> %s[%s]\n", node(from), from, node(to), to)
			}
		}
	}
	b.WriteString("```\n\n| room | imports |\n|---|---|\n")
	for _, from := range slices.Sorted(maps.Keys(imports)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", from, strings.Join(imports[from], ", "))
	}
	return b.String()
}

func node(name string) string { return strings.NewReplacer("/", "_", "-", "_").Replace(name) }
