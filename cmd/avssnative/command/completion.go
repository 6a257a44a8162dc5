package command

// Completion in shells. A shell's script asks the program, by the hidden `completion words`, what the word at the cursor may become; so that
// whatever the program knows, its own metrics and tasks as well, is completed. Where it knows nothing the shell completes file names.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completionScripts are what the shells read. %[1]s is the program's name.
var completionScripts = map[string]string{
	"bash": `# source <(%[1]s completion bash)
_%[1]s() {
    local IFS=$'\n'
    COMPREPLY=($("${COMP_WORDS[0]}" completion words bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _%[1]s %[1]s
`,
	"zsh": `#compdef %[1]s
# source <(%[1]s completion zsh), behind compinit
_%[1]s() {
    local -a found
    found=("${(@f)$("${words[1]}" completion words zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then
        compadd -- "${found[@]}"
    else
        _files
    fi
}
compdef _%[1]s %[1]s
`,
	"fish": `# %[1]s completion fish | source
function __%[1]s_words
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    $before[1] completion words fish $before[2..-1] "$current" 2>/dev/null
end
complete -c %[1]s -f -n 'test (count (__%[1]s_words)) -gt 0' -a '(__%[1]s_words)'
`,
}

func completionCommand() *cli.Command {
	about := func(shell, how string) *cli.Command {
		return &cli.Command{Name: shell, Usage: how, Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("completion %s: unexpected %q", shell, c.Args().First())
			}
			_, err := fmt.Fprintf(c.App.Writer, completionScripts[shell], "avssnative")
			return err
		}}
	}
	return &cli.Command{
		Name: "completion", Usage: "print what makes a shell complete commands, flags and their values: bash, zsh, fish",
		Subcommands: []*cli.Command{
			about("bash", "source <(avssnative completion bash)"),
			about("zsh", "source <(avssnative completion zsh), behind compinit"),
			about("fish", "avssnative completion fish | source"),
			{Name: "words", Hidden: true, SkipFlagParsing: true, Usage: "SHELL WORDS…: what the last word may become", Action: completeWords},
		},
		Action: func(c *cli.Context) error { return usage("completion %s: want bash, zsh or fish", c.Args().First()) },
	}
}

// completeWords prints what the last of the words behind the shell's name may become, one a line.
func completeWords(c *cli.Context) error {
	if c.NArg() < 2 {
		return usage("completion words: want a shell, and the words up to the cursor")
	}
	shell, words := c.Args().First(), c.Args().Tail()
	if shell == "bash" {
		words = joined(words)
	}
	last := words[len(words)-1]
	for _, word := range candidates(c.App, words) {
		if shell == "bash" { // what stands before the last of these signs is a word of its own there, and stays
			word = word[strings.LastIndexAny(last, "=:")+1:]
		}
		fmt.Fprintln(c.App.Writer, shown(word))
	}
	return nil
}

// joined puts together again what bash parts at = and :, as --device=cuda:0.
func joined(words []string) []string {
	var out []string
	glue := false
	for _, word := range words {
		sign := word == "=" || word == ":"
		if (sign || glue) && len(out) > 0 {
			out[len(out)-1] += word
		} else {
			out = append(out, word)
		}
		glue = sign
	}
	return out
}

// candidates is what the last word may become.
func candidates(app *cli.App, words []string) []string {
	before, current := words[:len(words)-1], words[len(words)-1]
	commands, flags := app.Commands, app.Flags
	var path []string // the command and its subcommand
	var given []string
	waiting := "" // a flag whose value comes next
	for i, word := range before {
		switch {
		case waiting != "":
			waiting = ""
		case word == "--" && len(path) > 0 && path[0] == "launch": // behind it stands a command of this program
			return candidates(app, words[i+1:])
		case word == "--":
			return nil
		case strings.HasPrefix(word, "-"):
			name, _, valued := strings.Cut(strings.TrimLeft(word, "-"), "=")
			given = append(given, name)
			if f := flagOf(flags, name); f != nil && takesValue(f) && !valued {
				waiting = name
			}
		default:
			found := commandOf(commands, word)
			if found == nil {
				if len(path) == 0 || len(commands) > 0 {
					return nil
				}
				continue // an argument
			}
			path = append(path, found.Name)
			commands, flags, given = found.Subcommands, found.Flags, nil
		}
	}
	switch name, value, valued := strings.Cut(strings.TrimLeft(current, "-"), "="); {
	case waiting != "":
		return fitting(flagValues(path, waiting), current)
	case strings.HasPrefix(current, "-") && valued:
		return prefixed(current[:len(current)-len(value)], fitting(flagValues(path, name), value))
	case strings.HasPrefix(current, "-"):
		return fitting(flagNames(flags, given), current)
	case len(commands) > 0:
		return fitting(commandNames(commands), current)
	}
	return fitting(argumentValues(path), current)
}

func flagOf(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		for _, n := range f.Names() {
			if n == name {
				return f
			}
		}
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	documented, ok := f.(cli.DocGenerationFlag)
	return ok && documented.TakesValue()
}

func commandOf(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func commandNames(commands []*cli.Command) []string {
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return names
}

// flagNames are the flags that may still be given.
func flagNames(flags []cli.Flag, given []string) []string {
	names := []string{"--help"}
	for _, f := range flags {
		name := f.Names()[0]
		_, again := f.(*cli.StringSliceFlag)
		if name == "help" || !again && slices.Contains(given, name) {
			continue
		}
		names = append(names, "--"+name)
	}
	return names
}

// fitting are the values that begin with what is typed; of a list, with what stands behind its last comma.
func fitting(values []string, typed string) []string {
	start := strings.LastIndexByte(typed, ',') + 1
	taken := strings.Split(typed[:start], ",")
	var out []string
	for _, v := range values {
		if strings.HasPrefix(v, typed[start:]) && !slices.Contains(taken, v) {
			out = append(out, typed[:start]+v)
		}
	}
	return out
}

func prefixed(prefix string, words []string) []string {
	for i := range words {
		words[i] = prefix + words[i]
	}
	return words
}
