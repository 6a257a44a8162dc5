package demo

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// same says whether a folder holds exactly the embedded model.
func same(t *testing.T, folder string) {
	t.Helper()
	names, _, err := fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		want, _ := files.ReadFile(path.Join("model", name))
		found, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(found, want) {
			t.Errorf("%s: %d bytes that differ from the %d embedded ones", name, len(found), len(want))
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(names) {
		t.Errorf("%d files in the folder, want %d: something temporary was left behind", len(entries), len(names))
	}
}

func TestFolderIsUnpackedOnceAndRepaired(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	folder, err := Folder()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(folder, cache) {
		t.Fatalf("unpacked to %s, want below %s", folder, cache)
	}
	same(t, folder)

	weights := filepath.Join(folder, "model.safetensors")
	before, err := os.Stat(weights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Folder(); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(weights)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("a second call wrote the weights again")
	}

	data, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1 // same length, one bit wrong
	if err := os.WriteFile(weights, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(folder, "config.json"), 10); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "tokenizer.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Folder(); err != nil {
		t.Fatal(err)
	}
	same(t, folder)
}

func TestFolderByManyAtOnce(t *testing.T) {
	base := t.TempDir()
	var wait sync.WaitGroup
	folders, errs := make([]string, 4), make([]error, 4)
	for i := range folders {
		wait.Go(func() { folders[i], errs[i] = unpack(base) })
	}
	wait.Wait()
	for i := range folders {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if folders[i] != folders[0] {
			t.Errorf("%s and %s for the same model", folders[i], folders[0])
		}
	}
	same(t, folders[0])
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", file)
	t.Setenv("HOME", file)
	_, err := Folder()
	if err == nil {
		t.Fatal("a file was taken for a cache folder")
	}
	if !strings.Contains(err.Error(), "XDG_CACHE_HOME") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error does not say what to do: %v", err)
	}
}
