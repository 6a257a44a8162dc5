package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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

// resumed says whether the job that --resume names is done.
func resumed(c *cli.Context) bool {
	_, err := os.Stat(filepath.Join(c.String("resume"), finished))
	return c.String("resume") != "" && err == nil
}

// settle keeps the report of a job that is done now, or gives back the one that was kept when it first was.
func settle(c *cli.Context, r *report.Report) (*report.Report, error) {
	folder := c.String("resume")
	if folder == "" {
		return r, nil
	}
	path := filepath.Join(folder, finished)
	switch data, err := os.ReadFile(path); {
	case err == nil:
		kept, err := report.Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return kept, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("--resume: %w", err)
	}
	data, err := r.JSON()
	if err != nil {
		return nil, err
	}
	if err := mapped.WriteBytes(path, data); err != nil {
		return nil, fmt.Errorf("--resume: %w", err)
	}
	return r, nil
}
