// Command api writes what the public packages export, a line a declaration, so that a change of it is seen where it is made:
//
//	go run ./tools/api            # writes docs/api.txt
//
// Its test holds the file against the sources.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	module = "avssnative/"
	file   = "docs/api.txt" // in the module
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

func write(root string) error {
	lines, err := generate(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, file), lines, 0o644)
}

// generate is the file of the module at root, as the packages are on Linux: of those that differ between systems the exported part does not.
func generate(root string) ([]byte, error) {
	list := exec.Command("go", "list", "-f", "{{.ImportPath}}|{{.Dir}}|{{join .GoFiles \"|\"}}", "./...")
	list.Dir = root
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, "# What the public packages export, as their sources say it. Written by go run ./tools/api.")
	for _, line := range slices.Sorted(strings.Lines(string(out))) {
		parts := strings.Split(strings.TrimSpace(line), "|")
		room := strings.TrimPrefix(parts[0], module)
		if !public(room) {
			continue
		}
		var paths []string
		for _, name := range parts[2:] {
			paths = append(paths, filepath.Join(parts[1], name))
		}
		declared, err := exported(paths)
		if err != nil {
			return nil, err
		}
		for _, line := range declared {
			fmt.Fprintf(&b, "%s: %s\n", room, line)
		}
	}
	return b.Bytes(), nil
}

// private are the rooms that may change at any time (docs/stability.md), with what lies below them.
var private = []string{"internal", "kernels", "tools", "docs", "bench/peers"}

// public says whether other modules may rely on a room.
func public(room string) bool {
	for _, p := range private {
		if room == p || strings.HasPrefix(room, p+"/") || strings.Contains(room, "/internal/") {
			return false
		}
	}
	return room != "cmd/avssnative"
}
