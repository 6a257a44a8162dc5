package command

import (
	"fmt"
	"strconv"
	"time"

	"avssnative/internal/hub"

	"github.com/urfave/cli/v2"
)

func pullCommand() *cli.Command {
	return &cli.Command{
		Name: "pull", Usage: "download what a model needs into the Hugging Face cache", ArgsUsage: "org/name[@revision]",
		Flags:  []cli.Flag{text("timeout", hub.DefaultTimeout.String(), "without a byte from the server, after which pull tries anew, and then gives up")},
		Action: pull,
	}
}

func pull(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("pull: want one name, as org/name or org/name@revision")
	}
	timeout, err := duration(c.String("timeout"))
	if err != nil {
		return usage("pull: --timeout %w", err)
	}
	last := ""
	dir, err := hub.Pull(c.Context, c.Args().First(), hub.Options{Timeout: timeout, Progress: func(p hub.Progress) {
		if p.File != last {
			last = p.File
			fmt.Fprintf(c.App.ErrWriter, "%s: %.1f MiB\n", shown(p.File), float64(p.Size)/(1<<20))
		}
	}})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, shown(dir))
	return err
}

// duration reads a time with a unit, or a number of seconds.
func duration(text string) (time.Duration, error) {
	seconds, err := strconv.ParseFloat(text, 64)
	if err == nil {
		text = strconv.FormatFloat(seconds, 'f', -1, 64) + "s"
	}
	value, err := time.ParseDuration(text)
	if err != nil || value <= 0 {
		return 0, fmt.Errorf("%.40s: want a time of more than 0, as 30s or 2m", text)
	}
	return value, nil
}
