package hub

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HF_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE"} {
		os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

func tiny() map[string]string {
	return map[string]string{
		"config.json": `{"model_type":"llama"}`, "tokenizer.json": "{}", "tokenizer_config.json": "{ }", "generation_config.json": "{  }",
		"model.safetensors": strings.Repeat("weights ", 1000), "README.md": "# no", "pytorch_model.bin": "pickle", "tf_model.h5": "no",
		"onnx/config.json": "no", "vocab.txt": "a", "merges.txt": "b", "special_tokens_map.json": "{   }",
	}
}

// pull is Pull with pauses that a test can wait for.
func pull(s *server, cache string, change func(*Options)) (string, error) {
	o := Options{Cache: cache, Endpoint: s.URL}
	if change != nil {
		change(&o)
	}
	p, err := newPuller(Name{Repository: "org/tiny", Revision: "main"}, o)
	if err != nil {
		return "", err
	}
	p.pause = time.Millisecond
	return p.pull(context.Background())
}

func tree(t *testing.T, root string) []string {
	t.Helper()
	paths := []string{}
	if err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			relative, _ := filepath.Rel(root, path)
			if target, err := os.Readlink(path); err == nil {
				relative += " -> " + target
			}
			paths = append(paths, relative)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestPullLaysOutTheCache(t *testing.T) {
	s, cache := newServer(t, tiny()), t.TempDir()
	var last Progress
	o := Options{Cache: cache, Endpoint: s.URL + "/", Token: "secret", Progress: func(p Progress) { last = p }}
	if _, err := Find("org/tiny", o); !errors.Is(err, ErrAbsent) {
		t.Errorf("before: %v", err)
	}
	dir, err := Pull(context.Background(), "org/tiny", o)
	if err != nil {
		t.Fatal(err)
	}
	repository := filepath.Join(cache, "models--org--tiny")
	if want := filepath.Join(repository, "snapshots", sha); dir != want {
		t.Errorf("folder %s, want %s", dir, want)
	}
	var want []string
	for name, content := range tiny() {
		if slices.Contains([]string{"README.md", "pytorch_model.bin", "tf_model.h5", "onnx/config.json"}, name) {
			continue
		}
		git, lfs := hashes(content)
		if name == "model.safetensors" {
			git = lfs
		}
		want = append(want, "models--org--tiny/blobs/"+git, "models--org--tiny/snapshots/"+sha+"/"+name+" -> ../../blobs/"+git,
			".locks/models--org--tiny/"+git+".lock")
	}
	want = append(want, "models--org--tiny/refs/main")
	slices.Sort(want)
	got := tree(t, cache)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, content := range tiny() {
		if found, err := os.ReadFile(filepath.Join(dir, name)); err == nil && string(found) != content {
			t.Errorf("%s: %q", name, found)
		}
	}
	if ref, _ := os.ReadFile(filepath.Join(repository, "refs", "main")); string(ref) != sha {
		t.Errorf("ref %q", ref)
	}
	if want := (Progress{"model.safetensors", 8000, 8000}); last != want {
		t.Errorf("last progress %v, want %v", last, want)
	}
	if len(s.leaked) > 0 {
		t.Errorf("the token reached the other host: %v", s.leaked)
	}
	if found, err := Find("org/tiny@main", o); err != nil || found != dir {
		t.Errorf("after: %s %v", found, err)
	}
	if found, err := Find("org/tiny@"+sha, o); err != nil || found != dir {
		t.Errorf("by commit: %s %v", found, err)
	}
	// Again: nothing is fetched but descriptions.
	s.requests = nil
	if _, err := Pull(context.Background(), "org/tiny", o); err != nil {
		t.Fatal(err)
	}
	for _, request := range s.requests {
		if strings.HasPrefix(request, "GET /org") || strings.HasPrefix(request, "GET /model") {
			t.Errorf("fetched again: %s", request)
		}
	}
}

func TestPullShards(t *testing.T) {
	files := tiny()
	delete(files, "model.safetensors")
	files["model-00001-of-00002.safetensors"], files["model-00002-of-00002.safetensors"] = "one", "two"
	files["model-00009-of-00009.safetensors"] = "not in the index"
	files[index] = `{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}}`
	s, cache := newServer(t, files), t.TempDir()
	dir, err := pull(s, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"model-00001-of-00002.safetensors": "one", "model-00002-of-00002.safetensors": "two"} {
		if got, _ := os.ReadFile(filepath.Join(dir, name)); string(got) != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "model-00009-of-00009.safetensors")); err == nil {
		t.Error("a file that the index does not name was fetched")
	}
	o := Options{Cache: cache}
	if _, err := Find("org/tiny", o); err != nil {
		t.Error(err)
	}
	target, _ := filepath.EvalSymlinks(filepath.Join(dir, "model-00002-of-00002.safetensors"))
	if err := os.Remove(target); err != nil {
		t.Fatal(err)
	}
	if _, err := Find("org/tiny", o); !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), "model-00002-of-00002.safetensors") {
		t.Errorf("a shard's blob is gone: %v", err)
	}
}

func TestPullResumesDroppedConnections(t *testing.T) {
	s, cache := newServer(t, tiny()), t.TempDir()
	s.dropAfter, s.drops, s.stalls, s.busy = 1000, 6, 1, 2
	dir, err := pull(s, cache, func(o *Options) { o.Timeout = time.Second })
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, "model.safetensors")); string(got) != tiny()["model.safetensors"] {
		t.Errorf("%d bytes differ from what was sent", len(got))
	}
	for _, want := range []string{"GET /model.safetensors bytes=1000-", "GET /model.safetensors bytes=6000-"} {
		if !slices.Contains(s.requests, want) {
			t.Errorf("no request %q in %q", want, s.requests)
		}
	}
}

// A Pull that failed leaves what arrived, and the next one goes on from there.
func TestPullGoesOnLater(t *testing.T) {
	s, cache := newServer(t, tiny()), t.TempDir()
	s.dropAfter, s.drops = 0, 1000
	incomplete := filepath.Join(cache, "models--org--tiny", "blobs")
	_, lfs := hashes(tiny()["model.safetensors"])
	incomplete = filepath.Join(incomplete, lfs+".incomplete")
	if err := os.MkdirAll(filepath.Dir(incomplete), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(incomplete, []byte(tiny()["model.safetensors"][:3000]), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := pull(s, cache, nil); err == nil || !strings.Contains(err.Error(), "model.safetensors: after 5 attempts") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(cache, "models--org--tiny", "refs")); err == nil {
		t.Error("a failed Pull wrote a ref")
	}
	s.drops, s.requests = 0, nil
	if _, err := pull(s, cache, nil); err != nil {
		t.Fatal(err)
	}
	if want := "GET /model.safetensors bytes=3000-"; !slices.Contains(s.requests, want) {
		t.Errorf("no request %q in %q", want, s.requests)
	}
	if _, err := os.Stat(incomplete); err == nil {
		t.Error("the incomplete file is still there")
	}
}

func TestPullWithoutRanges(t *testing.T) {
	s, cache := newServer(t, tiny()), t.TempDir()
	s.noRange, s.dropAfter, s.drops = true, 4000, 2
	if _, err := pull(s, cache, nil); err != nil {
		t.Fatal(err)
	}
	s, cache = newServer(t, tiny()), t.TempDir()
	s.noRange, s.dropAfter, s.drops = true, 4000, 1000 // never more than 4000 bytes: must end
	if _, err := pull(s, cache, nil); err == nil || !strings.Contains(err.Error(), "after 5 attempts") {
		t.Errorf("error %v", err)
	}
}

func TestPullRefuses(t *testing.T) {
	const weights = "model.safetensors"
	content := tiny()[weights]
	cases := []struct {
		name   string
		change func(*server)
		want   string
	}{
		{"wrong hash", func(s *server) { s.content[weights] = strings.Repeat("WEIGHTS ", 1000) }, "content has hash"},
		{"wrong hash of a small file", func(s *server) { s.content["config.json"] = `{"model_type":"OTHER"}` }, "config.json: content has hash"},
		{"too many bytes", func(s *server) { s.content[weights] = content + "x" }, "more than the 8000 bytes announced"},
		{"too few bytes", func(s *server) { s.content[weights] = content[1:] }, "after 5 attempts: connection closed after 7999 of 8000 bytes"},
		{"size too small", func(s *server) { s.size[weights] = "10" }, "more than the 10 bytes announced"},
		{"size too large", func(s *server) { s.size[weights] = "1152921504606846976" }, "1152921504606846976 bytes"},
		{"size of a companion too large", func(s *server) { s.small = "99999999999" }, "99999999999 bytes, want at most"},
		{"listing without end", func(s *server) { s.endless = true }, "more than 104857600 bytes"},
		{"size negative", func(s *server) { s.size[weights] = "-1" }, "want a number of bytes"},
		{"size no number", func(s *server) { s.size[weights] = "1e3" }, "want a number of bytes"},
		{"etag leads out", func(s *server) { s.etag[weights] = "../../../x" }, "cannot name a file"},
		{"etag with a separator", func(s *server) { s.etag[weights] = "a/b" }, "cannot name a file"},
		{"always busy", func(s *server) { s.busy = 1 << 30 }, "after 5 attempts: 503"},
		{"no token", func(s *server) { s.token = "secret" }, "HF_TOKEN must be a token"},
		{"no config", func(s *server) { delete(s.files, "config.json") }, "no config.json"},
		{"only pickles", func(s *server) { delete(s.files, weights) }, "only pickled weights"},
		{"no weights", func(s *server) { delete(s.files, weights); delete(s.files, "pytorch_model.bin") }, "neither model.safetensors nor"},
		{"listing is no JSON", func(s *server) { s.listing = "<html>" }, "listing of files: invalid"},
		{"listing without commit", func(s *server) { s.listing = `{"siblings":[]}` }, "want 40 hexadecimal digits"},
		{"commit leads out", func(s *server) { s.listing = `{"sha":"../../x"}` }, "want 40 hexadecimal digits"},
		{"other commit", func(s *server) {
			s.listing = `{"sha":"` + strings.Repeat("f", 40) + `","siblings":[{"rfilename":"config.json"},{"rfilename":"model.safetensors"}]}`
		}, "404"},
		{"file is absent", func(s *server) {
			s.listing = `{"sha":"` + sha + `","siblings":[{"rfilename":"config.json"},{"rfilename":"tokenizer.x"},{"rfilename":"model.safetensors"}]}`
		}, "tokenizer.x: 404"},
		{"redirects for ever", func(s *server) {
			s.redirect = func(w http.ResponseWriter, _ string) {
				w.Header().Set("Location", "/org/tiny/resolve/"+sha+"/model.safetensors")
				w.WriteHeader(http.StatusFound)
			}
		}, "more than 10 redirects"},
		{"redirect to a file", func(s *server) {
			s.redirect = func(w http.ResponseWriter, _ string) {
				w.Header().Set("Location", "file:///etc/hostname")
				w.WriteHeader(http.StatusFound)
			}
		}, "is not followed"},
		{"redirect to nowhere", func(s *server) {
			s.redirect = func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusFound) }
		}, "without an address"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, cache := newServer(t, tiny()), t.TempDir()
			c.change(s)
			_, err := pull(s, cache, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %s", err, c.want)
			}
			for _, path := range tree(t, cache) {
				if strings.Contains(path, "refs") || strings.Contains(path, "model.safetensors ->") {
					t.Errorf("left behind: %s", path)
				}
			}
			if _, err := Find("org/tiny", Options{Cache: cache}); !errors.Is(err, ErrAbsent) {
				t.Errorf("found after a failed Pull: %v", err)
			}
		})
	}
}

func TestShardNamesOfAHostileIndex(t *testing.T) {
	for _, name := range []string{"../x.safetensors", "/x.safetensors", "a/b.safetensors", "", "..", "x.bin", `a\\b.safetensors`, ".x.safetensors"} {
		files := tiny()
		delete(files, "model.safetensors")
		files[index] = `{"weight_map":{"a":"` + name + `"}}`
		if _, err := pull(newServer(t, files), t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "no plain name") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTokenStaysAtHome(t *testing.T) {
	s := newServer(t, tiny())
	s.token = "secret"
	if _, err := pull(s, t.TempDir(), func(o *Options) { o.Token = "secret" }); err != nil {
		t.Fatal(err)
	}
	if len(s.leaked) > 0 {
		t.Errorf("the other host saw %v", s.leaked)
	}
	if !slices.Contains(s.requests, "GET /model.safetensors") {
		t.Errorf("the other host was never asked: %q", s.requests)
	}
}

func TestCancel(t *testing.T) {
	s, cache := newServer(t, tiny()), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	o := Options{Cache: cache, Endpoint: s.URL, Progress: func(p Progress) {
		if p.File == "model.safetensors" {
			cancel()
		}
	}}
	s.dropAfter, s.drops = 10, 1<<30
	if _, err := Pull(ctx, "org/tiny", o); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Two at once: one fetches, the other waits and finds it there.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	unlock, err := lock(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 120*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second lock: %v", err)
	}
	unlock()
	again, err := lock(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()

	s, cache := newServer(t, tiny()), t.TempDir()
	results := make(chan error, 4)
	for range cap(results) {
		go func() {
			_, err := pull(s, cache, nil)
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	fetched := 0
	for _, request := range s.requests {
		if strings.HasPrefix(request, "GET /model.safetensors") {
			fetched++
		}
	}
	if fetched != 1 {
		t.Errorf("fetched %d times, want 1", fetched)
	}
}
