package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"avssnative/internal/report"

	"github.com/urfave/cli/v2"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "show a saved report again", ArgsUsage: "DIR",
		Flags: []cli.Flag{openFlag(),
			text("format", "text", "text, html, md, csv or json; or all, which writes every file and picture of the folder anew")},
		Action: showReport,
	}
}

func showReport(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("report: want one folder, behind the flags, as report --format md DIR")
	}
	dir := c.Args().First()
	format := c.String("format")
	if err := checkOpenSaved(c, dir, format); err != nil {
		return err
	}
	r, err := report.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; give a folder that --report made", err)
	}
	if err != nil {
		return err
	}
	out := c.App.Writer
	switch format {
	case "text":
		return errors.Join(r.Terminal(out), openSaved(c, dir))
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
		if err := r.Save(dir); err != nil {
			return err
		}
		return openSaved(c, dir)
	default:
		return usage("--format %s: want text, html, md, csv, json or all", format)
	}
}

// checkOpenSaved finds out before anything is printed whether what --open asks for can be done.
func checkOpenSaved(c *cli.Context, dir, format string) error {
	if !c.Bool(openName) {
		return nil
	}
	if format != "text" && format != "all" {
		return usage("--%s has no effect: --format %s prints what is for programs", openName, format)
	}
	page := filepath.Join(dir, pageName)
	if err := openable(page + " yourself"); err != nil {
		return err
	}
	if _, err := os.Stat(page); err != nil && format == "text" {
		return fmt.Errorf("--%s: %s: %w; report --format all writes it", openName, page, unwrapped(err))
	}
	return nil
}
