package hub

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sets() map[string]string {
	return map[string]string{"copa/validation/0000.parquet": strings.Repeat("table ", 900), "copa/train/0000.parquet": "train", "boolq/validation/0000.parquet": "b",
		"big/test/0000.parquet": "1", "big/test/0001.parquet": "2", ".gitattributes": "no", "../validation/x.parquet": "no", "deep/er/validation/0.parquet": "no"}
}

func TestPullSplit(t *testing.T) {
	s, cache := newServer(t, sets()), t.TempDir()
	o := Options{Cache: cache, Endpoint: s.URL, Token: "secret"}
	split := Split{"org/tiny", "copa", "validation"}
	if _, err := FindSplit(split, o); !errors.Is(err, ErrAbsent) {
		t.Errorf("before: %v", err)
	}
	file, err := PullSplit(context.Background(), split, o)
	if err != nil {
		t.Fatal(err)
	}
	repository := filepath.Join(cache, "datasets--org--tiny")
	if want := filepath.Join(repository, "snapshots", sha, "copa", "validation", "0000.parquet"); file != want {
		t.Errorf("file %s, want %s", file, want)
	}
	content, err := os.ReadFile(file)
	if err != nil || string(content) != sets()["copa/validation/0000.parquet"] {
		t.Errorf("%q %v", content, err)
	}
	_, lfs := hashes(string(content))
	if target, err := os.Readlink(file); err != nil || target != filepath.FromSlash("../../../../blobs/"+lfs) {
		t.Errorf("a link to %s, %v", target, err)
	}
	if ref, err := os.ReadFile(filepath.Join(repository, "refs", "refs", "convert", "parquet")); err != nil || string(ref) != sha {
		t.Errorf("ref %q %v", ref, err)
	}
	if found, err := FindSplit(split, o); err != nil || found != file {
		t.Errorf("after: %s %v", found, err)
	}
	// Another split of the same repository lies beside it.
	if _, err := PullSplit(context.Background(), Split{"org/tiny", "boolq", "validation"}, o); err != nil {
		t.Error(err)
	}
	if found, err := FindSplit(split, o); err != nil || found != file {
		t.Errorf("beside another: %s %v", found, err)
	}
	// Offline, what is there is found, and nothing is asked.
	s.requests = nil
	o.Offline = true
	if found, err := PullSplit(context.Background(), split, o); err != nil || found != file || len(s.requests) > 0 {
		t.Errorf("offline: %s %v %v", found, err, s.requests)
	}
	if len(s.leaked) > 0 {
		t.Errorf("the token reached the other host: %v", s.leaked)
	}
	// A link without its blob is no file.
	if err := os.Remove(filepath.Join(repository, "blobs", lfs)); err != nil {
		t.Fatal(err)
	}
	if _, err := FindSplit(split, o); !errors.Is(err, ErrAbsent) {
		t.Errorf("without its blob: %v", err)
	}
}

func TestPullSplitRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		split Split
		part  string
	}{
		"no such config":  {Split{"org/tiny", "rte", "validation"}, "boolq/validation, copa/train"},
		"no such split":   {Split{"org/tiny", "copa", "test"}, "no such split"},
		"several configs": {Split{"org/tiny", "", "validation"}, "2 tables"},
		"parted":          {Split{"org/tiny", "big", "test"}, "2 tables"},
		"a path":          {Split{"org/tiny", "..", "validation"}, "no split"},
		"no split":        {Split{"org/tiny", "copa", ""}, "no split"},
		"no repository":   {Split{"../tiny", "copa", "test"}, "want org/name"},
		"absent":          {Split{"org/absent", "copa", "test"}, "404"},
	} {
		s, cache := newServer(t, sets()), t.TempDir()
		_, err := PullSplit(context.Background(), test.split, Options{Cache: cache, Endpoint: s.URL})
		if err == nil || !strings.Contains(err.Error(), test.part) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(cache, "datasets--org--tiny", "refs")); err == nil {
			t.Errorf("%s: a ref was written", name)
		}
	}
	// A damaged table leaves no file.
	s, cache := newServer(t, sets()), t.TempDir()
	s.content["copa/validation/0000.parquet"] = strings.Repeat("TABLE ", 900)
	o := Options{Cache: cache, Endpoint: s.URL}
	split := Split{"org/tiny", "copa", "validation"}
	name, err := split.name()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPuller(name, o)
	if err != nil {
		t.Fatal(err)
	}
	p.pause = time.Millisecond
	if _, err := p.split(context.Background(), split); err == nil || !strings.Contains(err.Error(), "content has hash") {
		t.Errorf("damaged: %v", err)
	}
	if _, err := FindSplit(split, o); !errors.Is(err, ErrAbsent) {
		t.Errorf("damaged, after: %v", err)
	}
}
