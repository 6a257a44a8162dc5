package main

import (
	"fmt"

	"avssnative/internal/hub"

	"github.com/urfave/cli/v2"
)

func pullCommand() *cli.Command {
	return &cli.Command{
		Name: "pull", Usage: "download what a model needs into the Hugging Face cache", ArgsUsage: "org/name[@revision]",
		Flags: []cli.Flag{&cli.DurationFlag{Name: "timeout", Value: hub.DefaultTimeout, EnvVars: env("timeout"),
			Usage: "without a byte from the server, after which pull tries anew, and then gives up"}},
		Action: pull,
	}
}

func pull(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("pull: want one name, as org/name or org/name@revision")
	}
	timeout := c.Duration("timeout")
	if timeout <= 0 {
		return usage("pull: --timeout %v: want more than 0, as in 30s", timeout)
	}
	last := ""
	dir, err := hub.Pull(c.Context, c.Args().First(), hub.Options{Timeout: timeout, Progress: func(p hub.Progress) {
		if p.File != last {
			last = p.File
			fmt.Fprintf(c.App.ErrWriter, "%s: %.1f MiB\n", p.File, float64(p.Size)/(1<<20))
		}
	}})
	if err != nil {
		return err
	}
	fmt.Fprintln(c.App.Writer, dir)
	return nil
}
