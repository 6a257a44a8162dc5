//go:build unix

package prune_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"avssnative/engine"
	"avssnative/prune"
)

// A pipe or a device among a model's files is refused and not opened: reading one may never end.
func TestCompanionsThatAreNoFiles(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"a pipe":           func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to a pipe": func(path string) error { return linkedPipe(path) },
	} {
		parent := t.TempDir()
		folder := filepath.Join(parent, "model")
		if err := os.CopyFS(folder, os.DirFS(architectures+"/llama")); err != nil {
			t.Fatal(err)
		}
		if err := make(filepath.Join(folder, "merges.txt")); err != nil {
			t.Skip(err)
		}
		out := t.TempDir()
		err := prune.Write(context.Background(), open(t, folder), engine.Layers(1), filepath.Join(out, "out"), prune.Options{})
		if err == nil || !strings.Contains(err.Error(), "merges.txt") {
			t.Errorf("%s: %v", name, err)
		}
		nothing(t, out)
	}
}

func linkedPipe(path string) error {
	pipe := filepath.Join(filepath.Dir(path), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		return err
	}
	return os.Symlink("pipe", path)
}
