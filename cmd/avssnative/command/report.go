package command

import (
	"errors"
	"fmt"
	"io/fs"

	"avssnative/internal/report"

	"github.com/urfave/cli/v2"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "show a saved report again", ArgsUsage: "DIR",
		Flags:  []cli.Flag{text("format", "text", "text, html, md, csv or json; or all, which writes every file and picture of the folder anew")},
		Action: showReport,
	}
}

func showReport(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("report: want one folder, behind the flags, as report --format md DIR")
	}
	dir := c.Args().First()
	r, err := report.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; give a folder that --report made", err)
	}
	if err != nil {
		return err
	}
	out := c.App.Writer
	switch format := c.String("format"); format {
	case "text":
		return r.Terminal(out)
	case "html":
		return r.HTML(out)
	case "md":
		return r.Markdown(out)
	case "csv":
		return r.CSV(out)
	case "json":
		data, err := r.JSON()
		if err == nil {
			_, err = out.Write(visibleJSON(data))
		}
		return err
	case "all":
		return r.Save(dir)
	default:
		return usage("--format %s: want text, html, md, csv, json or all", format)
	}
}
