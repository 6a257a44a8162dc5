package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for ref, want := range map[string]Name{
		"gpt2":                            {Repository: "gpt2", Revision: "main"},
		"org/name":                        {Repository: "org/name", Revision: "main"},
		"org/name@v1.0":                   {Repository: "org/name", Revision: "v1.0"},
		"o/n@refs/pr/1":                   {Repository: "o/n", Revision: "refs/pr/1"},
		"EleutherAI/pythia-1.4b@step3000": {Repository: "EleutherAI/pythia-1.4b", Revision: "step3000"},
	} {
		if got, err := Parse(ref); err != nil || got != want {
			t.Errorf("%s: %v %v", ref, got, err)
		}
	}
	for _, ref := range []string{"", "/", "a/", "/a", "a/b/c", "../a", "a/..", "a@", "a@../x", "a@/x", "a@x/../../y", "a b", "a--b/c", ".", "a@b@c",
		"a@x//y", "a\x00", strings.Repeat("a", 400)} {
		if got, err := Parse(ref); err == nil {
			t.Errorf("%q: %v", ref, got)
		}
	}
	if got := (Name{Repository: "org/name", Revision: "main"}).folder(); got != "models--org--name" {
		t.Error(got)
	}
}

func TestEnvironment(t *testing.T) {
	check := func(want string) {
		t.Helper()
		if got, err := cacheFolder(); err != nil || got != filepath.FromSlash(want) {
			t.Errorf("%s %v, want %s", got, err, want)
		}
	}
	t.Setenv("HOME", "/home/x")
	check("/home/x/.cache/huggingface/hub")
	t.Setenv("XDG_CACHE_HOME", "/xdg")
	check("/xdg/huggingface/hub")
	t.Setenv("HF_HOME", "/hf")
	check("/hf/hub")
	t.Setenv("HF_HUB_CACHE", "/cache")
	check("/cache")

	s, cache := newServer(t, tiny()), t.TempDir()
	s.token = "from the environment"
	t.Setenv("HF_HUB_CACHE", cache)
	t.Setenv("HF_ENDPOINT", s.URL)
	t.Setenv("HF_TOKEN", "from the environment")
	t.Setenv("HF_HUB_OFFLINE", "yes")
	if _, err := Pull(context.Background(), "org/tiny", Options{}); !errors.Is(err, ErrAbsent) || len(s.requests) > 0 {
		t.Errorf("offline: %v, %q", err, s.requests)
	}
	t.Setenv("HF_HUB_OFFLINE", "0")
	dir, err := Pull(context.Background(), "org/tiny@refs/pr/1", Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if found, err := Pull(context.Background(), "org/tiny@refs/pr/1", Options{}); err != nil || found != dir {
		t.Errorf("offline, in the cache: %s %v", found, err)
	}
	t.Setenv("HF_HUB_OFFLINE", "")
	t.Setenv("HF_ENDPOINT", "ftp://x")
	if _, err := Pull(context.Background(), "org/tiny", Options{}); err == nil || !strings.Contains(err.Error(), "HF_ENDPOINT") {
		t.Errorf("bad endpoint: %v", err)
	}
}

func TestHostileCache(t *testing.T) {
	cache := t.TempDir()
	refs := filepath.Join(cache, "models--org--tiny", "refs")
	if err := os.MkdirAll(refs, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "../../x", strings.Repeat("f", 41), strings.Repeat("f", 5000)} {
		if err := os.WriteFile(filepath.Join(refs, "main"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if dir, err := Find("org/tiny", Options{Cache: cache}); err == nil {
			t.Errorf("ref %.10q: %s", text, dir)
		}
	}
}

// FuzzIndex: no index names a file outside the folder.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"../x.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"model.safetensors"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		names, err := shards(text)
		if err == nil && len(names) == 0 {
			t.Fatal("no names and no error")
		}
		for _, name := range names {
			if filepath.Base(name) != name || name == ".." {
				t.Fatalf("name %q", name)
			}
		}
	})
}

// FuzzParse: no reference leads out of the cache.
func FuzzParse(f *testing.F) {
	f.Add("org/name@refs/pr/1")
	f.Add("a/../b@../c")
	f.Fuzz(func(t *testing.T, ref string) {
		name, err := Parse(ref)
		if err != nil {
			return
		}
		if !filepath.IsLocal(filepath.Join(name.folder(), "refs", name.Revision)) || strings.Contains(name.folder(), "/") || strings.Contains(name.Revision,
			"..") {
			t.Fatalf("%q gives %v", ref, name)
		}
	})
}

// A tilde stands for the home in every variable that names the cache.
func TestTilde(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, name := range []string{"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "~/x")
			got, err := cacheFolder()
			if err != nil || !strings.HasPrefix(got, filepath.Join(home, "x")) {
				t.Errorf("%s=~/x: %s %v", name, got, err)
			}
			t.Setenv(name, "~other/x")
			if got, err := cacheFolder(); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=~other/x: %s %v", name, got, err)
			}
		})
	}
}
