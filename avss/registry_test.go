package avss

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRegistry(t *testing.T) {
	var names []string
	number := regexp.MustCompile(`^\d{4}\.\d{5}$`)
	// What looks at nothing, and the plain length, have no paper.
	own := map[string]bool{"l2": true, "random": true, "first": true, "last": true}
	for _, i := range Metrics() {
		names = append(names, i.Name)
		if i.About == "" || strings.Contains(i.About, "\n") {
			t.Errorf("%s: about %q", i.Name, i.About)
		}
		if own[i.Name] != (len(i.Papers) == 0) {
			t.Errorf("%s: papers %v", i.Name, i.Papers)
		}
		for _, p := range i.Papers {
			if !number.MatchString(p.ArXiv) || p.Title == "" || p.Authors == "" || p.Year < 2023 {
				t.Errorf("%s: paper %+v", i.Name, p)
			}
		}
		if !i.Builtin() {
			t.Errorf("%s is not marked as this package's", i.Name)
		}
		if i.New != nil && i.New(i, Options{}).Name() != i.Name {
			t.Errorf("%s makes a %s", i.Name, i.New(i, Options{}).Name())
		}
	}
	want := []string{"angular", "avss", "bi", "l2", "relmag", "greedy", "kl", "ppl", "first", "last", "random"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	if _, err := New("bigger", Options{}); err == nil || !strings.Contains(err.Error(), strings.Join(want, ", ")) {
		t.Errorf("%v does not list the metrics", err)
	}
	if _, err := New("kl", Options{}); err == nil || !strings.Contains(err.Error(), "does not watch a pass") {
		t.Error(err)
	}
	papers := Bibliography("bi", "relmag", "first", "bi")
	if len(papers) != 2 || papers[0].ArXiv != "2312.09299" || papers[1].ArXiv != "2403.03853" {
		t.Errorf("bibliography %v", papers)
	}
}
