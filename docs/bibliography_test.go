package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cited is how sources and pages name a paper on arXiv.
var cited = regexp.MustCompile(`(?:arXiv |ArXiv: +"|Citation\{")(\d{4}\.\d{4,5})`)

// Every paper that a metric, a task, a repair or a page names stands in the bibliography. Families of architectures keep theirs.
func TestBibliographyIsWhole(t *testing.T) {
	text, err := os.ReadFile("bibliography.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, room := range []string{"avss", "bench", "prune", "engine", "calib", "docs", "cuda", "kernels"} {
		err := filepath.WalkDir(filepath.Join("..", room), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if entry.Name() == "arch" || entry.Name() == "testdata" || entry.Name() == "peers" {
					return filepath.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(path, "_test.go") || !regexp.MustCompile(`\.(go|md|c|h|cu|cuh)$`).MatchString(path) {
				return nil
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range cited.FindAllStringSubmatch(string(source), -1) {
				found++
				if !strings.Contains(string(text), "arXiv "+m[1]) {
					t.Errorf("%s: arXiv %s is not in bibliography.md", path, m[1])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found < 50 {
		t.Errorf("found %d citations, want those of the metrics and tasks at least", found)
	}
}
