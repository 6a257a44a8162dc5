package command

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// flagLine is a line of a help that shows a flag.
var flagLine = regexp.MustCompile(`(?m)^   --([a-z-]+)`)

func shownFlags(help string) []string {
	var names []string
	for _, m := range flagLine.FindAllStringSubmatch(help, -1) {
		names = append(names, m[1])
	}
	return slices.Sorted(slices.Values(names))
}

// The help of a command shows its basic flags alone, that of --help-all every flag once; what a group names exists.
func TestHelpIsGrouped(t *testing.T) {
	unused := maps.Clone(groups)
	for _, command := range commands() {
		if examples[command.Name] == nil {
			continue
		}
		basic, all := []string{"help"}, []string{"help"}
		for _, flag := range command.Flags {
			name := flag.Names()[0]
			all = append(all, name)
			if groupOf(command.Name, name) == "" {
				basic = append(basic, name)
			}
			if _, own := groups[command.Name+"."+name]; own {
				delete(unused, command.Name+"."+name)
			} else {
				delete(unused, name)
			}
		}
		slices.Sort(basic)
		slices.Sort(all)
		help, whole := done(t, command.Name, "--help"), done(t, command.Name, "--help-all")
		if shown := shownFlags(help); !slices.Equal(shown, basic) {
			t.Errorf("%s --help: shows %v, want %v", command.Name, shown, basic)
		}
		if shown := shownFlags(whole); !slices.Equal(shown, all) {
			t.Errorf("%s --help-all: shows %v, want %v", command.Name, shown, all)
		}
		if len(basic) > 20 {
			t.Errorf("%s: %d basic flags, want 20 at most", command.Name, len(basic))
		}
		for _, example := range examples[command.Name] {
			line := "\n   " + example + "\n"
			if !strings.Contains(onOneLine(help), line) || !strings.Contains(onOneLine(whole), line) {
				t.Errorf("%s: the help lacks %s", command.Name, example)
			}
		}
		if command.Description != "" && !strings.Contains(whole, "DESCRIPTION") {
			t.Errorf("%s --help-all: does not say what it says besides", command.Name)
		}
	}
	if len(unused) > 0 {
		t.Errorf("groups of flags that there are not: %v", slices.Sorted(maps.Keys(unused)))
	}
}
