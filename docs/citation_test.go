package docs_test

import (
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// CITATION.cff is of the version that CHANGELOG begins with, and has what citing programs need.
func TestCitationIsOfThisVersion(t *testing.T) {
	text, err := os.ReadFile("../CITATION.cff")
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Form    string              `yaml:"cff-version"`
		Title   string              `yaml:"title"`
		Message string              `yaml:"message"`
		Version string              `yaml:"version"`
		Licence string              `yaml:"license"`
		Authors []map[string]string `yaml:"authors"`
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	changes, err := os.ReadFile("../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(changes), "\n## ")
	heading, _, _ := strings.Cut(rest, "\n")
	if c.Version == "" || !strings.Contains(heading, c.Version) {
		t.Errorf("version %q, CHANGELOG begins with %q", c.Version, heading)
	}
	if c.Form != "1.2.0" || c.Title != "avssnative" || c.Message == "" || c.Licence != "Apache-2.0" || len(c.Authors) == 0 {
		t.Errorf("found %+v", c)
	}
}
