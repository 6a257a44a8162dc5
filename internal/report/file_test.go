package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	for _, outside := range []string{"<script", "src=\"http", "href=\"http", "url("} {
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
