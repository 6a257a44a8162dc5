package command

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// font is a change of font, or a sign that roff needs and nobody sees.
var font = regexp.MustCompile(`\\f[A-Z]|\\&`)

// spelled is a character beyond ASCII.
var spelled = regexp.MustCompile(`\\\[u[0-9A-F]+\]`)

// plainWords is roff without its signs, in single spaces.
func plainWords(page string) string {
	page = font.ReplaceAllString(page, "")
	page = spelled.ReplaceAllStringFunc(page, func(name string) string {
		r, _ := strconv.ParseInt(name[3:len(name)-1], 16, 32)
		return string(rune(r))
	})
	page = strings.NewReplacer(`\-`, "-", `\\`, `\`, `\(aq`, "'", `\(dq`, `"`).Replace(page)
	return strings.Join(strings.Fields(page), " ")
}

// The page names every command and every flag, with what their help says.
func TestManNamesEverything(t *testing.T) {
	page := done(t, "man")
	if !strings.Contains(page, ".TH avssnative 1") || strings.Contains(page, "completion words") {
		t.Errorf("%.200s", page)
	}
	for at, r := range page {
		if r >= 0x80 || r < ' ' && r != '\n' {
			t.Fatalf("byte %d is %q, which not every roff reads", at, r)
		}
	}
	words := plainWords(page)
	for _, want := range []string{"0 done", "130 interrupted", "--log-level"} {
		if !strings.Contains(words, want) {
			t.Errorf("lacks %q", want)
		}
	}
	var each func(commands []*cli.Command)
	each = func(commands []*cli.Command) {
		for _, command := range commands {
			if command.Hidden {
				continue
			}
			_, own, found := strings.Cut(page, "\n.SH "+command.Name+"\n")
			if !found {
				_, own, found = strings.Cut(page, "\n.SS "+command.Name+"\n")
			}
			if !found {
				t.Errorf("no command %s", command.Name)
				continue
			}
			if end := regexp.MustCompile(`\n\.S[HS] `).FindStringIndex(own); end != nil {
				own = own[:end[0]]
			}
			own = plainWords(own)
			for _, text := range append(strings.Split(command.Description, "\n"), command.Usage, command.ArgsUsage) {
				if text = strings.Join(strings.Fields(text), " "); !strings.Contains(own, text) {
					t.Errorf("%s: lacks %q:\n%s", command.Name, text, own)
				}
			}
			for _, flag := range command.Flags {
				name := "--" + flag.Names()[0]
				about := strings.Join(strings.Fields(flag.(cli.DocGenerationFlag).GetUsage()), " ")
				if !strings.Contains(own, name) || !strings.Contains(own, about) {
					t.Errorf("%s: lacks %s: %s:\n%s", command.Name, name, about, own)
				}
			}
			each(command.Subcommands)
		}
	}
	each(commands())
	refused(t, exitUsage, []string{"unexpected"}, "man", "page")
}
