package hub

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestList(t *testing.T) {
	cache := t.TempDir()
	put := func(path, content string) {
		path = filepath.Join(cache, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"models--org--whole", "models--alone"} {
		put(folder+"/refs/main", sha)
		put(folder+"/snapshots/"+sha+"/config.json", "{}")
		put(folder+"/snapshots/"+sha+"/model.safetensors", "")
	}
	put("models--org--whole/refs/refs/pr/3", sha)
	put("models--org--half/refs/main", sha)
	put("models--org--half/snapshots/"+sha+"/config.json", "{}")
	put("models--org--bad/refs/main", "no commit")
	put("datasets--org--set/refs/main", sha)
	put("version.txt", "1")
	got, err := List(Options{Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"alone", "org/whole", "org/whole@refs/pr/3"}, got); diff != "" {
		t.Error(diff)
	}
	for _, name := range got {
		if _, err := Find(name, Options{Cache: cache}); err != nil {
			t.Error(err)
		}
	}
	if got, err := List(Options{Cache: filepath.Join(cache, "none")}); err != nil || got != nil {
		t.Errorf("%v %v", got, err)
	}
}
