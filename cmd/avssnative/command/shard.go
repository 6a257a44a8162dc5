package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"avssnative/engine"
	"avssnative/internal/job"
	"avssnative/internal/shard"

	"github.com/urfave/cli/v2"
)

// shardFlags are those of a job that several machines do together.
func shardFlags() []cli.Flag {
	return []cli.Flag{
		text("shard", "", "do part i of n, as 0/4, and leave it in --state; merge puts the parts together"),
		text("state", "", "folder for the parts; all may share one, and what lies there is not done again"),
		waitFlag(), resumeFlag(),
	}
}

// waitFlag lets shards and their merge wait for what others leave.
func waitFlag() cli.Flag {
	return &cli.DurationFlag{Name: "wait", Usage: "how long to wait for shards that have not come yet, as 2h", EnvVars: env("wait")}
}

// partsKey is where a merge leaves its parts for the command that it calls again.
const partsKey = "parts"

// sharedPart reads --shard and --state; no state is no sharing.
func sharedPart(c *cli.Context) (shard.Part, error) {
	state, text := c.String("state"), c.String("shard")
	switch {
	case c.String("resume") != "" && (state != "" || text != ""):
		return shard.Part{}, usage("--resume and --state: want one of them: a shard's --state keeps what it has done, too")
	case state == "" && text != "":
		return shard.Part{}, usage("--shard %s: --state is missing, the folder that keeps what the shard comes to", text)
	case text == "":
		return shard.Part{}, nil
	}
	part, err := shard.ParsePart(text)
	if err != nil {
		return part, usage("--shard: %w", err)
	}
	if slices.Contains(c.StringSlice("calib"), "-") {
		return part, usage("--calib -: shards cannot share what comes from stdin; give a file")
	}
	return part, nil
}

// shared opens a model for a command that may be one shard of several or their merge.
func shared(c *cli.Context, ref string, o engine.Options) (*job.Job, error) {
	if parts, merging := c.App.Metadata[partsKey].(*shard.Runner); merging {
		return job.OpenMerged(c.Context, ref, o, command(c), parts)
	}
	part, err := sharedPart(c)
	if err != nil {
		return nil, err
	}
	j, err := job.Open(c.Context, ref, o, command(c))
	folder := c.String("state")
	if kept := c.String("resume"); kept != "" {
		folder = kept
	}
	if err != nil || folder == "" {
		return j, err
	}
	if err := j.Share(part, folder, c.Duration("wait"), again(c)); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// own are flags that say nothing about what a job finds out: where it runs, and what becomes of it.
var own = []string{"device", "threads", "memory", "shard", "state", "wait", "resume", "report", "out", "json", "samples", "force", "config", "quiet"}

// again is how a merge calls the command to do the job again.
func again(c *cli.Context) []string {
	called := []string{c.Command.Name}
	for _, name := range c.LocalFlagNames() {
		if c.IsSet(name) && !slices.Contains(own, name) {
			called = append(called, fmt.Sprintf("--%s=%v", name, value(c, name)))
		}
	}
	slices.Sort(called[1:])
	return called
}

// waiting prints that a shard is done and others are still to come, which is no failure; false where err is something else.
func waiting(c *cli.App, err error) bool {
	var missing *shard.Missing
	if !errors.As(err, &missing) || missing.Merges {
		return false
	}
	fmt.Fprintf(c.Writer, "%s. When they have come: avssnative merge %s\n", strings.TrimPrefix(missing.Error(), "shard: "), strings.Join(missing.Folders, " "))
	return true
}
