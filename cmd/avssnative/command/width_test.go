package command

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// onOneLine is a help with its examples on one line each, as a shell reads them.
func onOneLine(help string) string { return strings.ReplaceAll(help, " \\\n      ", " ") }

// Every help fits 80 columns, and says all words of the library's own, in their order.
func TestHelpFitsATerminal(t *testing.T) {
	var ask func(path []string, commands []*cli.Command)
	ask = func(path []string, commands []*cli.Command) {
		for _, flag := range []string{"--help", "--" + allFlags} {
			if flag != "--help" && (len(path) != 1 || examples[path[0]] == nil) {
				continue
			}
			for _, line := range strings.Split(done(t, append(path[:len(path):len(path)], flag)...), "\n") {
				if columns := utf8.RuneCountInString(line); columns > helpWidth {
					t.Errorf("%s %s: %d columns, want %d: %s", strings.Join(path, " "), flag, columns, helpWidth, line)
				}
			}
		}
		for _, command := range commands {
			if command.Hidden {
				continue
			}
			ask(append(path[:len(path):len(path)], command.Name), command.Subcommands)
		}
	}
	ask(nil, commands())
}

// So does what there is to compute with, and why there is none of a kind.
func TestDevicesFitATerminal(t *testing.T) {
	t.Setenv("AVSSNATIVE_LIBCUDA", "/a/folder/whose/name/is/long/enough/to/leave/no/room/beside/it/libcuda.so.1")
	for _, line := range strings.Split(done(t, "devices"), "\n") {
		if columns := utf8.RuneCountInString(line); columns > helpWidth && strings.Count(strings.TrimSpace(line), " ") > 0 {
			t.Errorf("%d columns, want %d: %s", columns, helpWidth, line)
		}
	}
}

func TestNarrowKeepsEveryWord(t *testing.T) {
	for name, c := range map[string]struct{ help, want string }{
		"short lines stay": {"NAME:\n   a - b\n\nOPTIONS:\n   --x  what\n", "NAME:\n   a - b\n\nOPTIONS:\n   --x  what\n"},
		"prose": {
			"DESCRIPTION:\n   " + strings.Repeat("word ", 20) + "\n",
			"DESCRIPTION:\n   " + strings.TrimSpace(strings.Repeat("word ", 15)) + "\n   word word word word word\n",
		},
		"a meaning beside its flag": {
			"OPTIONS:\n   --x value  " + strings.Repeat("word ", 20) + "\n",
			"OPTIONS:\n   --x value  " + strings.TrimSpace(strings.Repeat("word ", 13)) + "\n              word word word word word word word\n",
		},
		"a meaning below a long flag": {
			"GLOBAL OPTIONS:\n   --a-flag value [ --a-flag value ]  what it means\n",
			"GLOBAL OPTIONS:\n   --a-flag value [ --a-flag value ]\n" + strings.Repeat(" ", helpNames) + "what it means\n",
		},
		"an example is one line to a shell": {
			"EXAMPLES:\n   avssnative run --model M.gguf --prompt \"words that stay together\" --calib text.txt --out small.gguf\n",
			"EXAMPLES:\n   avssnative run --model M.gguf --prompt \"words that stay together\" \\\n      --calib text.txt --out small.gguf\n",
		},
		"a word without end": {"NAME:\n   " + strings.Repeat("x", 90) + " y\n", "NAME:\n   " + strings.Repeat("x", 90) + "\n   y\n"},
	} {
		if got := narrow(c.help); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}
