package command

import (
	"fmt"
	"strings"

	"avssnative/internal/report"

	"github.com/urfave/cli/v2"
)

func manCommand() *cli.Command {
	return &cli.Command{
		Name: "man", Usage: "print the manual page, made from the flags there are",
		Description: "avssnative man > ~/.local/share/man/man1/avssnative.1 puts it where man finds it; avssnative man | man -l - shows it at once.",
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usage("man: unexpected %q", c.Args().First())
			}
			page, err := manual(c.App)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(c.App.Writer, page)
			return err
		},
	}
}

// manual is the page in roff. The library makes it by way of Markdown, where lines that are set in stay as they are.
func manual(app *cli.App) (string, error) {
	shown := *app
	shown.Description = strings.ReplaceAll(strings.ReplaceAll(app.Description, "\n  ", "\n    "), "codes:\n", "codes:\n\n")
	shown.Commands = described(app.Commands, app.Name)
	page, err := shown.ToManWithSection(1)
	return ascii(page), err
}

// ascii spells what not every roff reads as one of its names for characters.
func ascii(page string) string {
	var b strings.Builder
	for _, r := range page {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}

// described are the commands with how they are called and what their help says besides, which the library leaves out.
func described(commands []*cli.Command, path string) []*cli.Command {
	var all []*cli.Command
	for _, command := range commands {
		shown := *command
		calling := path + " " + command.Name
		if len(command.Subcommands) == 0 && command.Name != "help" {
			shown.UsageText = strings.TrimSpace(calling + " [flags] " + command.ArgsUsage)
		}
		for _, line := range strings.Split(command.Description, "\n") {
			if line != "" {
				shown.UsageText += "\n" + report.Paragraph(line)
			}
		}
		shown.Subcommands = described(command.Subcommands, calling)
		all = append(all, &shown)
	}
	return all
}
