package hub

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stalled is a Pull that waits for stall, so that a test need not wait long.
func stalled(ctx context.Context, endpoint, cache string, stall time.Duration) (string, error) {
	p, err := newPuller(Name{Repository: "org/tiny", Revision: "main"}, Options{Cache: cache, Endpoint: endpoint, Timeout: stall})
	if err != nil {
		return "", err
	}
	p.pause = time.Millisecond
	return p.pull(ctx)
}

// incomplete lists the files that say of themselves that they are not whole.
func incomplete(t *testing.T, cache string) (found []string) {
	t.Helper()
	for _, path := range tree(t, cache) {
		if strings.Contains(path, ".incomplete") {
			found = append(found, path)
		}
	}
	return found
}

// Wherever the server falls silent, Pull tries anew and then gives up; what had arrived stays for the next.
func TestSilentServer(t *testing.T) {
	for _, silent := range []string{"GET /api", "HEAD /org/tiny/resolve", "GET /org/tiny/resolve", "GET /model.safetensors"} {
		for _, after := range []int{0, 1000} {
			if after > 0 && silent != "GET /model.safetensors" {
				continue
			}
			s, cache := newServer(t, tiny()), t.TempDir()
			s.silent, s.after = silent, after
			_, err := stalled(t.Context(), s.URL, cache, 250*time.Millisecond)
			for _, want := range []string{"after 2 attempts", "no answer from 127.0.0.1", "for 250ms"} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, after %d bytes: error %v, want %s", silent, after, err, want)
				}
			}
			if after == 0 {
				continue
			}
			_, lfs := hashes(tiny()["model.safetensors"])
			if stat, err := os.Stat(filepath.Join(cache, "models--org--tiny", "blobs", lfs+".incomplete")); err != nil || stat.Size() != int64(after) {
				t.Errorf("what arrived did not stay: %v", err)
			}
			s.mutex.Lock()
			s.silent, s.requests = "", nil
			s.mutex.Unlock()
			if _, err := stalled(t.Context(), s.URL, cache, time.Minute); err != nil {
				t.Errorf("the next: %v", err)
			}
			if !strings.Contains(strings.Join(s.requests, "\n"), "GET /model.safetensors bytes=1000-") {
				t.Errorf("not resumed: %q", s.requests)
			}
		}
	}
}

// A server that accepts connections and says nothing, not even HTTP; and an address where nobody listens any more.
func TestServerThatIsNone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			defer connection.Close()
		}
	}()
	_, err = stalled(t.Context(), "http://"+listener.Addr().String(), t.TempDir(), 50*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "after 2 attempts: no answer from "+listener.Addr().String()) {
		t.Errorf("silent: %v", err)
	}
	listener.Close()
	_, err = stalled(t.Context(), "http://"+listener.Addr().String(), t.TempDir(), time.Minute)
	if err == nil || !strings.Contains(err.Error(), "after 5 attempts") || strings.Contains(err.Error(), "\n") {
		t.Errorf("closed: %v", err)
	}
	if _, err := stalled(t.Context(), "http://127.0.0.1:1", t.TempDir(), -time.Second); err == nil || !strings.Contains(err.Error(), "time-out of -1s") {
		t.Errorf("negative: %v", err)
	}
}

// A cancelled Pull ends at once, wherever it waits, and leaves nothing that is incomplete.
func TestCancelOfASilentDownload(t *testing.T) {
	for _, silent := range []string{"GET /api", "HEAD /org/tiny/resolve", "GET /model.safetensors"} {
		s, cache := newServer(t, tiny()), t.TempDir()
		s.silent, s.after = silent, 1000
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			_, err := stalled(ctx, s.URL, cache, time.Hour)
			ended <- err
		}()
		<-s.asked
		cancel()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", silent, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: still there a minute after the cancel", silent)
		}
		if found := incomplete(t, cache); len(found) > 0 {
			t.Errorf("%s: left behind: %q", silent, found)
		}
	}
}

// What a killed Pull has left is cleared or resumed; a part that is of something else is fetched anew.
func TestLeftovers(t *testing.T) {
	_, lfs := hashes(tiny()["model.safetensors"])
	for name, part := range map[string]string{
		"of the file": tiny()["model.safetensors"][:2000], "zeros": strings.Repeat("\x00", 2000),
		"too long": strings.Repeat("x", 9000), "all, and wrong": strings.Repeat("x", 8000),
	} {
		s, cache := newServer(t, tiny()), t.TempDir()
		repository := filepath.Join(cache, "models--org--tiny")
		old := time.Now().Add(-time.Hour)
		for path, content := range map[string]string{
			filepath.Join(repository, "blobs", lfs+".incomplete"):                                  "part",
			filepath.Join(repository, "snapshots", sha, "config.json.0123456789abcdef.incomplete"): "",
			filepath.Join(repository, "refs", "main.0123456789abcdef.incomplete"):                  sha[:10],
		} {
			if content == "part" {
				content = part
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
		dir, err := pull(s, cache, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "model.safetensors")); string(got) != tiny()["model.safetensors"] {
			t.Errorf("%s: other content", name)
		}
		if found := incomplete(t, cache); len(found) > 0 {
			t.Errorf("%s: left behind: %q", name, found)
		}
	}
	// A link in the place of the part does not lead the download elsewhere.
	s, cache := newServer(t, tiny()), t.TempDir()
	precious := filepath.Join(t.TempDir(), "precious")
	blobs := filepath.Join(cache, "models--org--tiny", "blobs")
	if err := os.WriteFile(precious, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, filepath.Join(blobs, lfs+".incomplete")); err != nil {
		t.Skipf("skipped: no links here: %v", err)
	}
	if _, err := pull(s, cache, nil); err == nil || !strings.Contains(err.Error(), "want a regular file") {
		t.Errorf("a link: %v", err)
	}
	if content, _ := os.ReadFile(precious); string(content) != "mine" {
		t.Errorf("what the link leads to holds %q", content)
	}
}

// Names in a listing that lead out of the folder are not fetched.
func TestNamesOfAHostileListing(t *testing.T) {
	s, cache := newServer(t, tiny()), t.TempDir()
	s.listing = `{"sha":"` + sha + `","siblings":[{"rfilename":"config.json"},{"rfilename":"model.safetensors"},
		{"rfilename":"../config.json"},{"rfilename":"/config.json"},{"rfilename":"tokenizer/../../x.json"},
		{"rfilename":"tokenizer.json/../../../y"},{"rfilename":"..\\tokenizer.json"},{"rfilename":"tokenizer\u0000.json"}]}`
	if _, err := pull(s, cache, nil); err != nil {
		t.Fatal(err)
	}
	for _, request := range s.requests {
		if strings.Contains(request, "..") || strings.Contains(request, "x.json") || strings.Contains(request, "/y") {
			t.Errorf("asked for: %s", request)
		}
	}
	for _, path := range tree(t, cache) {
		if name, _, link := strings.Cut(path, " -> "); link && filepath.Base(name) != "config.json" && filepath.Base(name) != "model.safetensors" {
			t.Errorf("written: %s", path)
		}
	}
}
