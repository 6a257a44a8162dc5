package home

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestFolder(t *testing.T) {
	t.Setenv("HOME", "/home/x")
	t.Setenv("DATA", "/data")
	for value, want := range map[string]string{
		"": "", "/a": "/a", "a/b": "a/b", "~": "/home/x", "~/": "/home/x", "~/a/b": "/home/x/a/b", "/a/~/b": "/a/~/b",
		"$DATA/a": "/data/a", "${DATA}/a": "/data/a", "~/$DATA": "/home/x/data", "/a/$NO_SUCH_VARIABLE": "/a/$NO_SUCH_VARIABLE", "/a$/b": "/a$/b",
	} {
		t.Setenv("FOLDER", value)
		if got, err := Folder("FOLDER"); err != nil || got != filepath.FromSlash(want) {
			t.Errorf("%s: %s %v, want %s", value, got, err, want)
		}
	}
	t.Setenv("FOLDER", "~other/x")
	if got, err := Folder("FOLDER"); err == nil || !strings.Contains(err.Error(), "FOLDER is ~other/x") {
		t.Errorf("another user's home: %s %v", got, err)
	}
	t.Setenv("FOLDER", "~/x")
	t.Setenv("HOME", "~")
	if got, err := Folder("FOLDER"); err == nil {
		t.Errorf("a home that is a tilde: %s", got)
	}
}

func TestCache(t *testing.T) {
	t.Setenv("HOME", "/home/x")
	t.Setenv("XDG_CACHE_HOME", "~/cache")
	if got, err := Cache(); err != nil || got != filepath.FromSlash("/home/x/cache") {
		t.Errorf("%s %v", got, err)
	}
}
