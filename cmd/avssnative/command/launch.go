package command

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/internal/launch"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func launchCommand() *cli.Command {
	about := "Give the job behind the launcher's own flags and --, as: avssnative launch %s --shards 8 --state /shared/job -- score --model /models/m --calib text.jsonl"
	engine := func(name, usage string, print func(launch.Job, *cli.Context) error, own ...cli.Flag) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, ArgsUsage: "-- score|eval|bench [flags]", Description: fmt.Sprintf(about, name),
			Flags: append(launchFlags(), own...), Action: func(c *cli.Context) error {
				j, err := launched(c)
				if err != nil {
					return err
				}
				if err := print(j, c); err != nil {
					return usageError{err}
				}
				return nil
			}}
	}
	return &cli.Command{
		Name: "launch", Usage: "print what runs a job in shards on many machines and merges it: slurm, k8s",
		Subcommands: []*cli.Command{
			engine("slurm", "a script that submits an array of shards and the merge behind it", func(j launch.Job, c *cli.Context) error {
				return j.Slurm(c.App.Writer)
			}, text("partition", "", "where to run; default: Slurm's own")),
			engine("k8s", "an Indexed Job of shards and the Job that merges them", func(j launch.Job, c *cli.Context) error {
				return j.Kubernetes(c.App.Writer)
			}, text("image", "", "container image that holds the program"), list("volume", "a persistent volume claim to mount, as CLAIM:/path; may be given again")),
		},
		Action: func(c *cli.Context) error {
			return usage("launch %s: want slurm or k8s", c.Args().First())
		},
	}
}

func launchFlags() []cli.Flag {
	return []cli.Flag{
		number("shards", 0, "how many parts the job is done in"),
		text("state", "", "folder that all machines see, for the parts"),
		text("sweep", "", "a .yaml that lists models, each with name, model and, where it has its own, shards and flags: the job is done for all of them"),
		number("rounds", 0, "how many times the shards run, each time with what all have found before; 0: as often as the job needs"),
		text("name", "avssnative", "of the jobs"),
		text("program", "avssnative", "how the program is called there"),
		number("cpus", 1, "processors a shard gets"),
		number("gpus", 0, "graphics cards a shard gets"),
		text("memory", "", "memory of a shard, as 32GiB; the engine is asked for a tenth more"),
		&cli.DurationFlag{Name: "time", Usage: "longest that a shard may take, as 4h", EnvVars: env("time")},
		text("out", "", "write the merged scores to this .json"), reportFlag(), jsonFlag(),
	}
}

// launched reads the launcher's flags and the job behind them.
func launched(c *cli.Context) (launch.Job, error) {
	memory, err := byteSize(c.String("memory"))
	if err != nil {
		return launch.Job{}, usage("--memory %s: %v", c.String("memory"), err)
	}
	j := launch.Job{Name: c.String("name"), Program: c.String("program"), Command: c.Args().Slice(), State: c.String("state"), Shards: c.Int("shards"),
		Rounds: c.Int("rounds"), CPUs: c.Int("cpus"), GPUs: c.Int("gpus"), Memory: memory, Time: c.Duration("time"), Partition: c.String("partition"), Image: c.String("image")}
	for _, name := range []string{"out", "report", "json"} {
		if c.IsSet(name) {
			j.Merge = append(j.Merge, fmt.Sprintf("--%s=%v", name, value(c, name)))
		}
	}
	for _, v := range c.StringSlice("volume") {
		volume, err := launch.ParseVolume(v)
		if err != nil {
			return j, usageError{err}
		}
		j.Volumes = append(j.Volumes, volume)
	}
	if j.Shards < 1 || j.State == "" {
		return j, usage("launch: --shards and --state are missing: how many parts, and the folder for them")
	}
	if j.Members, err = sweepMembers(c, j.Command); err != nil {
		return j, err
	}
	calls := [][]string{j.Command}
	if len(j.Members) > 0 {
		calls = nil
	}
	for _, m := range j.Members {
		calls = append(calls, m.Called(j.Command))
	}
	most := 0
	for i, called := range calls {
		n, more, err := rounds(c, called)
		if err != nil && len(j.Members) > 0 {
			return j, usage("--sweep %s: %s: %w", c.String("sweep"), j.Members[i].Name, err)
		}
		if err != nil {
			return j, err
		}
		most, j.Open = max(most, n), j.Open || more
	}
	if j.Rounds == 0 {
		j.Rounds = most
	}
	return j, nil
}

// sweepMembers reads the models of --sweep.
func sweepMembers(c *cli.Context, called []string) ([]launch.Member, error) {
	path := c.String("sweep")
	if path == "" {
		return nil, nil
	}
	for _, word := range called {
		if name, _, _ := strings.Cut(word, "="); name == "--model" || name == "-model" {
			return nil, usage("launch: --model behind --: the models are those of --sweep")
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("--sweep: %w", err)
	}
	members, err := launch.ParseSweep(data)
	if err != nil {
		return nil, usage("--sweep %s: %w", path, err)
	}
	return members, nil
}

// rounds finds out how often the shards of a command run, at least where that only shows as they do, and what is wrong with it.
func rounds(c *cli.Context, called []string) (least int, more bool, err error) {
	var commands []*cli.Command
	for _, command := range everywhere([]*cli.Command{scoreCommand(), evalCommand(), benchCommand()}) {
		command.OnUsageError = func(c *cli.Context, err error, _ bool) error { return usageError{withNearestFlag(c, err)} }
		command.Action = func(job *cli.Context) error {
			least, more, err = roundsOf(job)
			return err
		}
		commands = append(commands, command)
	}
	if len(called) == 0 || !slices.ContainsFunc(commands, func(command *cli.Command) bool { return command.Name == called[0] }) {
		return 0, false, usage("launch: want the job behind --, which is score, eval or bench with its flags; found %q", strings.Join(called, " "))
	}
	app := &cli.App{Commands: commands, Writer: c.App.Writer, ErrWriter: c.App.ErrWriter, ExitErrHandler: func(*cli.Context, error) {}, HideHelp: true}
	err = app.RunContext(c.Context, append([]string{"avssnative"}, called...))
	return least, more, err
}

func roundsOf(job *cli.Context) (least int, more bool, err error) {
	if job.Args().Present() {
		return 0, false, usage("launch: %s: unexpected %q", job.Command.Name, job.Args().First())
	}
	for _, name := range own {
		if !slices.Contains([]string{"device", "config", "quiet"}, name) && job.IsSet(name) {
			return 0, false, usage("launch: --%s of %s: give it to launch, in front of --", name, job.Command.Name)
		}
	}
	if job.Bool("one-by-one") {
		return 0, false, usage("launch: --one-by-one compares times, which shards cannot")
	}
	least = 1
	if job.Command.Name == "bench" { // first the scores, then what to judge follows from them
		least = 2
	}
	// How many layers are solved one after the other, each in a round, only the model says.
	more = job.Bool("linear") || !slices.Contains([]string{"", string(prune.RepairNone)}, job.String("repair"))
	metrics := append(commas(job.String("metrics")), job.String("metric"))
	if slices.Contains(metrics, "all") {
		metrics = append(metrics, allRemovals()...)
	}
	for _, name := range metrics {
		d, err := avss.Lookup(name)
		switch layers := job.Int("greedy-layers"); {
		case err != nil || d.Kind() != avss.Removal || !d.Rounds:
		case d.Search.Streams || layers == 0: // a search ends where no swap helps; how many layers a quarter is only the model says
			more = true
		default:
			least += layers - 1
		}
	}
	return least, more, nil
}
