package command

import (
	"fmt"
	"slices"

	"avssnative/internal/shard"

	"github.com/urfave/cli/v2"
)

func mergeCommand() *cli.Command {
	return &cli.Command{
		Name: "merge", ArgsUsage: "DIR…", Usage: "put the shards of a job together: scores, judgements, sweeps; the same bits as a single run",
		Description: "The job's own files are read again (the model's headers, texts, tasks) and held against what the shards were made from; nothing is computed.\n" +
			"Where a job goes on from what its shards have found (bench, a greedy search), merge names the shards that are to be run once more.",
		Flags:  []cli.Flag{text("out", "", "write the scores to this .json"), samplesFlag(), waitFlag(), reportFlag(), openFlag(), jsonFlag()},
		Action: merge,
	}
}

func merge(c *cli.Context) error {
	if !c.Args().Present() {
		return usage("merge: want the folders of the shards, as given with --state")
	}
	parts, err := shard.Merge(c.Context, c.Duration("wait"), c.Args().Slice()...)
	if err != nil {
		return err
	}
	called := parts.Origin().Command
	shares := everywhere([]*cli.Command{scoreCommand(), evalCommand(), benchCommand()})
	if len(called) == 0 || !slices.ContainsFunc(shares, func(s *cli.Command) bool { return s.Name == called[0] }) {
		return fmt.Errorf("merge: the shards are of a command %.40q that has no shards in this program", called)
	}
	arguments := append([]string{"avssnative"}, called...)
	for _, name := range []string{"out", "samples", "report", openName, "json"} {
		if !c.IsSet(name) {
			continue
		}
		if name == "out" && called[0] != "score" || name == "samples" && called[0] != "eval" {
			return usage("merge: --%s: the shards are of %s, which has no such file", name, called[0])
		}
		arguments = append(arguments, fmt.Sprintf("--%s=%v", name, value(c, name)))
	}
	app := &cli.App{Name: "avssnative", Commands: shares, Reader: c.App.Reader, Writer: c.App.Writer, ErrWriter: c.App.ErrWriter,
		Metadata: map[string]any{partsKey: parts, quietKey: quiet(c)}, ExitErrHandler: func(*cli.Context, error) {}}
	return app.RunContext(c.Context, arguments)
}
