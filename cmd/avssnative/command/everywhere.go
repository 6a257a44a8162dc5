package command

// What every command takes that does work: where more flags are read from, and silence.

import (
	"io"
	"slices"

	"github.com/urfave/cli/v2"
)

// quietKey is where a merge leaves that it is quiet for the command that it calls again.
const quietKey = "quiet"

// workless are the commands that do no work.
var workless = []string{"completion", "man", "version"}

// everywhere gives commands and their subcommands --config and --quiet.
func everywhere(commands []*cli.Command) []*cli.Command {
	for _, command := range commands {
		if slices.Contains(workless, command.Name) {
			continue
		}
		everywhere(command.Subcommands)
		command.Flags = append(command.Flags, text("config", "", "read flags from this .yaml, a key a flag; flags and their variables win"),
			toggle("quiet", "show no progress"))
		command.Before = configured
	}
	return commands
}

// quiet says whether no progress is to be shown.
func quiet(c *cli.Context) bool { return c.Bool("quiet") || c.App.Metadata[quietKey] == true }

// aside is where progress goes, and what else stands beside results.
func aside(c *cli.Context) io.Writer {
	if quiet(c) {
		return io.Discard
	}
	return c.App.ErrWriter
}
