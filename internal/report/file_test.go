package report

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"avssnative/prune"
)

func TestSaveAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "report")
	if err := sample(5).Save(dir); err != nil {
		t.Fatal(err)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := same(sample(5), r); diff != "" {
		t.Error(diff)
	}
	before, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"<script src", "<link", "@import", "src=\"http", "href=\"http", "url("} {
		if bytes.Contains(before, []byte(outside)) {
			t.Errorf("the page holds %s", outside)
		}
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no report.json") {
		t.Errorf("%v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sample(5).Save(file); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// A former report is replaced when forced; a folder that holds anything else, or another program's report, is not.
func TestPlace(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "report")
	save := func(force bool) error { return Place(dir, force).Write(sample(5).Save) }
	if err := save(false); err != nil {
		t.Fatal(err)
	}
	if err := save(false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("not forced: %v", err)
	}
	if err := save(true); err != nil {
		t.Errorf("forced: %v", err)
	}
	for name, change := range map[string]func(dir string) error{
		"a picture of somebody's": func(dir string) error { return os.WriteFile(filepath.Join(dir, "holiday.png"), nil, 0o600) },
		"a folder":                func(dir string) error { return os.Mkdir(filepath.Join(dir, "notes"), 0o700) },
		"a folder by our name": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "report.md")), os.Mkdir(filepath.Join(dir, "report.md"), 0o700))
		},
		"another report.json": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, FileName), []byte(`{"tests": 3}`), 0o600)
		},
		"no report.json": func(dir string) error { return os.Remove(filepath.Join(dir, FileName)) },
	} {
		dir := filepath.Join(parent, name)
		if err := Place(dir, false).Write(sample(5).Save); err != nil {
			t.Fatal(err)
		}
		if err := change(dir); err != nil {
			t.Fatal(err)
		}
		if err := Place(dir, true).Check(); err == nil {
			t.Errorf("%s: replaced", name)
		}
	}
	if entries, _ := os.ReadDir(parent); len(entries) != 6 {
		t.Errorf("%d entries", len(entries))
	}
}

// Every form says what became of the pruned model, and nothing of one that was never to be.
func TestBecame(t *testing.T) {
	for want, change := range map[string]func(*Report){
		"was opened again": func(r *Report) {},
		"was not tried":    func(r *Report) { r.Written = prune.FormatMergekit },
		"no space left":    func(r *Report) { r.Unwritten = "no space left\x1b[31m on device" },
	} {
		r := sample(5)
		change(r)
		for name, render := range map[string]func(io.Writer) error{"text": r.Terminal, "md": r.Markdown, "html": r.HTML} {
			var b bytes.Buffer
			if err := render(&b); err != nil {
				t.Fatal(err)
			}
			for _, said := range []string{"was opened again", "was not tried", "no space left"} {
				if got := strings.Contains(b.String(), said); got != (said == want) {
					t.Errorf("%s, %s: %q: %v", name, want, said, got)
				}
			}
			if strings.Contains(b.String(), "\x1b") {
				t.Errorf("%s: an escape sequence", name)
			}
		}
		r.Output = ""
		var b bytes.Buffer
		if err := r.Terminal(&b); err != nil || strings.Contains(b.String(), "pruned model is in") {
			t.Errorf("%v: says where a model is that was not written", err)
		}
	}
}
