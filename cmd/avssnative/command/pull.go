package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"avssnative/bench"
	"avssnative/failure"
	"avssnative/internal/hub"

	"github.com/urfave/cli/v2"
)

func pullCommand() *cli.Command {
	return &cli.Command{
		Name: "pull", Usage: "download what a model needs, or with --tasks the tables of tasks, into the Hugging Face cache",
		ArgsUsage: "org/name[@revision]",
		Flags: []cli.Flag{text("tasks", "", "instead of a model: the data of these tasks, as arc_easy,piqa; other commands find it there"),
			text("timeout", hub.DefaultTimeout.String(), "without a byte from the server, after which pull tries anew, and then gives up")},
		Action: pull,
	}
}

func pull(c *cli.Context) error {
	tasks := commas(c.String("tasks"))
	switch {
	case c.NArg() > 0 && typed(c, "tasks"):
		return usage("pull: --tasks and %q: want one of them", c.Args().First())
	case c.NArg() > 1, c.NArg() == 0 && len(tasks) == 0:
		return usage("pull: want one name, as org/name or org/name@revision, or --tasks arc_easy,piqa")
	}
	timeout, err := duration(c.String("timeout"))
	if err != nil {
		return usage("pull: --timeout %w", err)
	}
	last := ""
	o := hub.Options{Timeout: timeout, Progress: func(p hub.Progress) {
		if p.File != last {
			last = p.File
			fmt.Fprintf(aside(c), "%s: %.1f MiB\n", shown(p.File), float64(p.Size)/(1<<20))
		}
	}}
	if c.NArg() == 0 {
		return pullTasks(c, tasks, o)
	}
	dir, err := hub.Pull(c.Context, c.Args().First(), o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.App.Writer, shown(dir))
	return err
}

// pullTasks brings the tables of tasks into the cache and prints where they lie.
func pullTasks(c *cli.Context, names []string, o hub.Options) error {
	tasks, err := bench.Lookup(names)
	if err != nil {
		return usage("pull: --tasks: %w", err)
	}
	for _, task := range tasks {
		switch {
		case task.Hub == (bench.Published{}) && task.Inside != nil:
			return usage("pull: --tasks: %s lies inside the program", task.Name)
		case task.Hub == (bench.Published{}):
			return usage("pull: --tasks: %s is published nowhere that is known; its file %s belongs below --task-data", task.Name, task.Files[0])
		}
	}
	for _, task := range tasks {
		file, err := hub.PullSplit(c.Context, hub.Split(task.Hub), o)
		if err != nil {
			return fmt.Errorf("pull: %s: %w", task.Name, err)
		}
		if _, err := fmt.Fprintln(c.App.Writer, shown(task.Name), shown(file)); err != nil {
			return err
		}
	}
	return nil
}

// taskSource is where tasks find their files: --task-data, then what pull --tasks brought.
func taskSource(c *cli.Context) bench.Source {
	return bench.Source{Dir: c.String("task-data"), Cached: func(p bench.Published) (string, error) {
		file, err := hub.FindSplit(hub.Split(p), hub.Options{})
		if errors.Is(err, hub.ErrAbsent) {
			return "", nil
		}
		return file, err
	}}
}

// fetching says in a line how to get the files of tasks that have none, empty where none of them is published.
func fetching(c *cli.Context, names []string) string {
	tasks, err := bench.Lookup(names)
	if err != nil {
		return ""
	}
	var missing []string
	for _, task := range tasks {
		_, err := bench.Load(c.Context, []string{task.Name}, taskSource(c), bench.Limit{Items: 1})
		if task.Hub != (bench.Published{}) && errors.Is(err, failure.NotFound) {
			missing = append(missing, task.Name)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "; avssnative pull --tasks " + strings.Join(missing, ",") + " fetches what is missing"
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
