package mapped

import (
	"os"
	"path/filepath"
	"testing"
)

// What is being made is gone after Abandon and never gets its name; what stood there, and what was finished, stays.
func TestAbandon(t *testing.T) {
	dir := t.TempDir()
	place := Place{Path: filepath.Join(dir, "out"), Folder: true, Force: true, Former: func(string) error { return nil }}
	make := func(path string) error {
		if err := os.Mkdir(path, 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(path, "a"), nil, 0o600)
	}
	if err := place.Write(make); err != nil {
		t.Fatal(err)
	}
	output, err := place.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Discard()
	if err := make(output.Path()); err != nil {
		t.Fatal(err)
	}
	Abandon()
	if err := output.Commit(); err == nil {
		t.Error("what was abandoned was placed")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || entries[0].Name() != "out" {
		t.Errorf("%d entries", len(entries))
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "a")); err != nil {
		t.Error(err)
	}
	Abandon() // of nothing
}
