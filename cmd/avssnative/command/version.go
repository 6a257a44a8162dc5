package command

import (
	"fmt"

	"avssnative/internal/job"

	"github.com/urfave/cli/v2"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "show the version, the commit it was built from, and what it was built by and for",
		Flags: []cli.Flag{jsonFlag()}, Action: showVersion,
	}
}

func showVersion(c *cli.Context) error {
	if c.Args().Present() {
		return usage("version: unexpected %q", c.Args().First())
	}
	b := job.ThisBuild()
	if c.Bool("json") {
		return printJSON(c, b)
	}
	_, err := fmt.Fprintf(c.App.Writer, "avssnative %s\ncommit    %s\ngo        %s\nplatform  %s\n", b.Version, commitOf(b), b.Go, b.Platform)
	return err
}

// commitOf says which sources a build is of.
func commitOf(b job.Build) string {
	commit := b.Commit
	if commit == "" {
		return "not known to this build"
	}
	if b.CommitTime != "" {
		commit += " of " + b.CommitTime
	}
	if b.Modified {
		commit += ", modified"
	}
	return commit
}
