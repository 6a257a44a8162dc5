package command

// The help of commands with many flags: what a first job needs, with examples, by --help; all flags by what they are about, by --help-all.

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// groups are the flags that a first job does without, by what they are about. A name of the form COMMAND.FLAG is of one command, and
// stands before the flag's own; what is in no group is basic.
var groups = map[string]string{
	"compute": "Machine", "memory": "Machine", "threads": "Machine",
	"calib-field": "Text", "calib-tokens": "Text", "seq-len": "Text", "bos": "Text",
	"avss-mode": "Scores", "site": "Scores", "seed": "Scores", "greedy-layers": "Scores", "random": "Scores",
	"objective": "Search", "beam": "Search", "search-tokens": "Search", "search-plain": "Search",
	"search-task": "Search", "search-items": "Search", "calib-settled": "Text", "calib-choose": "Text",
	"drop-mass": "Choice", "protect-first": "Choice", "protect-last": "Choice", "unit": "Choice",
	"task-data": "Judging", "shots": "Judging", "chat": "Judging", "samples": "Judging", "alternatives": "Judging", "no-timing": "Judging",
	"generate": "Judging", "one-by-one": "Judging", "alone": "Judging",
	"generate.chat": "", "generate.seed": "Drawing", "temperature": "Drawing", "top-k": "Drawing", "top-p": "Drawing", "min-p": "Drawing",
	"draft.temperature": "", "system": "Ending and beginning", "stop": "Ending and beginning", "ignore-eos": "Ending and beginning",
	"draft-tokens": "Ending and beginning",
	"shard":        "Parts and interruptions", "state": "Parts and interruptions", "wait": "Parts and interruptions", "resume": "Parts and interruptions",
	"format": "Output", "imatrix": "Output", "open": "Output", "json": "Output", "quiet": "Output", "config": "Output",
}

// examples are what is typed first. A test runs them.
var examples = map[string][]string{
	"run": {
		"avssnative run",
		"avssnative run --model M.gguf --drop 25% --calib text.txt --repair auto --out small.gguf --report report",
		"avssnative run --model M.gguf --shares 12.5,25,37.5 --calib text.txt --report shares",
		"avssnative run --model M.gguf --drop 25% --metric search --calib text.txt --repair full --out searched.gguf",
	},
	"score": {
		"avssnative score --model M.gguf --calib text.txt --out scores.json",
		"avssnative score --model M.gguf --calib text.txt --metrics ppl,kl --report scores",
	},
	"prune": {
		"avssnative prune --model M.gguf --drop 1, --out without-1.gguf",
		"avssnative prune --model M.gguf --scores scores.json --drop 1 --calib text.txt --repair auto --out small-2.gguf",
	},
	"eval": {
		"avssnative eval --model M.gguf --tasks chunk-32=text.txt",
		"avssnative eval --model M.gguf --drop 1 --tasks chunk-32=text.txt --report judged",
	},
	"bench": {
		"avssnative bench --model M.gguf --metrics avss,bi --shares 25,50 --calib text.txt",
		"avssnative bench --model M.gguf --metrics avss --shares 25 --calib text.txt --repair refit --report bench",
	},
	"generate": {
		`avssnative generate --model M.gguf --prompt "What is a layer?"`,
		`avssnative generate --model M.gguf --drop 1 --prompt "What is a layer?"`,
	},
	"draft": {
		"avssnative draft --model M.gguf --shares 25,40 --out draft.gguf",
	},
}

const allFlags = "help-all"

// The helps are the library's template, parted. A flag writes itself in two columns.
const (
	helpBegins = `NAME:
   {{template "helpNameTemplate" .}}

USAGE:
   {{template "usageTemplate" .}}
`
	helpBasic = `
OPTIONS:{{range .VisibleFlags}}{{if not .Category}}
   {{wrap .String 6}}{{end}}{{end}}

   {{%s}}
`
	helpAll = `{{if .Description}}
DESCRIPTION:
   {{template "descriptionTemplate" .}}
{{end}}
OPTIONS:{{range .VisibleFlags}}{{if not .Category}}
   {{wrap .String 6}}{{end}}{{end}}
{{range .VisibleFlagCategories}}{{if .Name}}
   {{.Name}}:
{{range .Flags}}   {{wrap .String 6}}
{{end}}{{end}}{{end}}`
)

// grouped parts the flags of the commands that have examples into basic ones and others.
func grouped(commands []*cli.Command) []*cli.Command {
	for _, command := range commands {
		lines, ok := examples[command.Name]
		if !ok {
			continue
		}
		var others []string
		for _, flag := range command.Flags {
			if group := groupOf(command.Name, flag.Names()[0]); group != "" {
				categorise(flag, group)
				if !slices.Contains(others, group) {
					others = append(others, group)
				}
			}
		}
		command.Flags = append(command.Flags, &cli.BoolFlag{Name: allFlags, Usage: "show all flags by what they are about, and what else is to be known"})
		more := fmt.Sprintf("More by --%s: %s.", allFlags, strings.ToLower(strings.Join(others, ", ")))
		begins := helpBegins + "\nEXAMPLES:\n   {{" + strconv.Quote(strings.Join(lines, "\n   ")) + "}}\n"
		command.CustomHelpTemplate = begins + fmt.Sprintf(helpBasic, strconv.Quote(more))
		action := command.Action
		command.Action = func(c *cli.Context) error {
			if c.Bool(allFlags) {
				cli.HelpPrinter(c.App.Writer, begins+helpAll, c.Command)
				return nil
			}
			return action(c)
		}
	}
	return commands
}

// groupOf is what a command's flag is about; empty: it is basic.
func groupOf(command, flag string) string {
	if group, own := groups[command+"."+flag]; own {
		return group
	}
	return groups[flag]
}

// categorise puts a flag into a group of the help.
func categorise(flag cli.Flag, group string) {
	switch flag := flag.(type) {
	case *cli.StringFlag:
		flag.Category = group
	case *cli.StringSliceFlag:
		flag.Category = group
	case *cli.IntFlag:
		flag.Category = group
	case *cli.BoolFlag:
		flag.Category = group
	case *cli.Float64Flag:
		flag.Category = group
	case *cli.DurationFlag:
		flag.Category = group
	case *cli.Uint64Flag:
		flag.Category = group
	default:
		panic(fmt.Sprintf("%T: a kind of flag that no other is of", flag))
	}
}
