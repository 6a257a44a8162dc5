// Package docs_test holds the pages against each other: a link in Markdown that leads nowhere is found here, without a network. Headings are named
// as GitHub names them: lower case, spaces as hyphens, punctuation left out, and -1, -2 … behind a name that was there before.
package docs_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	heading = regexp.MustCompile(`^#{1,6}\s+(.+?)\s*#*$`)
	target  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	named   = regexp.MustCompile(`<a\s+(?:id|name)="([^"]+)"`)
	quoted  = regexp.MustCompile("`[^`]*`")
)

// prose returns the lines of a page with those inside fenced blocks emptied.
func prose(text string) []string {
	lines, fenced := strings.Split(text, "\n"), false
	for i, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence || fenced {
			lines[i] = ""
		}
		fenced = fenced != fence
	}
	return lines
}

func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, line := range prose(text) {
		for _, m := range named.FindAllStringSubmatch(line, -1) {
			names[m[1]] = true
		}
		m := heading.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		base := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, target.ReplaceAllString(m[1], "$1"))
		name := base
		for i := 1; names[name]; i++ {
			name = fmt.Sprintf("%s-%d", base, i)
		}
		names[name] = true
	}
	return names
}

// broken says what is wrong with a link that stands in page, or nothing.
func broken(page, to string) string {
	at, err := url.Parse(to)
	if err != nil {
		return err.Error()
	}
	if at.Scheme != "" || at.Host != "" {
		return ""
	}
	file := page
	if at.Path != "" {
		file = filepath.Join(filepath.Dir(page), filepath.FromSlash(at.Path))
	}
	if _, err := os.Stat(file); err != nil {
		return "no such file"
	}
	if at.Fragment == "" || filepath.Ext(file) != ".md" {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	if !anchors(string(text))[at.Fragment] {
		return "no such heading"
	}
	return ""
}

func TestLinksLeadSomewhere(t *testing.T) {
	pages := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() && path != ".." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "shared") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(name) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		pages++
		for i, line := range prose(string(text)) {
			for _, m := range link.FindAllStringSubmatch(quoted.ReplaceAllString(line, ""), -1) {
				if why := broken(path, m[1]); why != "" {
					t.Errorf("%s:%d: %s: %s", path, i+1, m[1], why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 5 {
		t.Fatalf("pages: found %d, want those of docs and the root at least", pages)
	}
}

func TestBrokenLinksAreFound(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "# One: *two*\n# One: *two*\n```\n# not a heading\n```\n"
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		"#one-two": "", "#one-two-1": "", "page.md#one-two": "", "https://example.org/x": "",
		"#one-two-2": "no such heading", "#not-a-heading": "no such heading", "other.md": "no such file",
	} {
		if why := broken(page, to); why != want {
			t.Errorf("%s: found %q, want %q", to, why, want)
		}
	}
}
