package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"avssnative/engine"
	"avssnative/internal/job"
	"avssnative/internal/mapped"
	"avssnative/internal/report"

	"github.com/urfave/cli/v2"
)

// A job that keeps what it does in a folder is a job in one part: every pass that ends is there, so the same command line goes on behind the
// last of them, and refuses a folder of another job as a shard does. What it has reported at its end is there too, times and all.

// finished is the file that the report is kept in.
const finished = "finished.json"

func resumeFlag() cli.Flag {
	return text("resume", "", "keep every pass that ends in this folder: the same command, killed and called again, goes on from there, and once done says the same again")
}

// finishedBefore is the report of the job that --resume names, once it is done; nil before.
func finishedBefore(c *cli.Context) (*report.Report, error) {
	folder := c.String("resume")
	if folder == "" {
		return nil, nil
	}
	path := filepath.Join(folder, finished)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	kept, err := report.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("--resume: %s: %w", path, err)
	}
	return kept, nil
}

// resuming says that the folder of --resume holds something of the job already: what it has written may then be written once more.
func resuming(c *cli.Context) bool {
	return c.String("resume") != "" && !bare(c.String("resume")) && there(c.String("resume"))
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// keepFinished keeps the report of a job that is done.
func keepFinished(c *cli.Context, r *report.Report) error {
	folder := c.String("resume")
	if folder == "" {
		return nil
	}
	data, err := r.JSON()
	if err == nil {
		err = mapped.WriteBytes(filepath.Join(folder, finished), data)
	}
	if err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	return nil
}

// writtenBefore makes sure that the model that a job wrote before it was done is where it is wanted: what has gone from there is written once
// more. Elsewhere it is another call's, whose report would name the wrong place.
func (p pruned) writtenBefore(c *cli.Context, j *job.Job, drop engine.Drop, done *report.Report) error {
	if p.path == "" || done.Output == p.path && there(p.path) {
		return nil
	}
	if done.Output != p.path {
		wrote := "no model"
		if done.Output != "" {
			wrote = done.Output
		}
		return usage("--out %s: the job in --resume %s is done and has written %s: call it as it was called, or keep this one in another folder",
			p.path, c.String("resume"), wrote)
	}
	return asFlags(c, j.Write(c.Context, drop, p.path, p.options))
}

// settle keeps the report of a job that has no more to find out, or takes the one that was kept when it first had.
func settle(c *cli.Context, r *report.Report) (*report.Report, error) {
	kept, err := finishedBefore(c)
	if kept != nil || err != nil {
		return kept, err
	}
	return r, keepFinished(c, r)
}
