package command

import (
	"errors"
	"fmt"
	"slices"

	"avssnative/internal/shard"

	"github.com/urfave/cli/v2"
)

func mergeCommand() *cli.Command {
	return &cli.Command{
		Name: "merge", ArgsUsage: "DIR…", Usage: "put the shards of a job together: scores, judgements, sweeps; the same bits as a single run",
		Description: "The job's own files are read again (the model's headers, texts, tasks) and held against what the shards were made from; no text is\n" +
			"walked. Of repairs it solves what no shard has.\n" +
			"Where a job goes on from what its shards have found (bench, a search), merge decides what they have found so far, writes into DIR\n" +
			"what is to be done next, and ends with exit code 3: run the shards again and merge, until it ends with 0.",
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
	err = app.RunContext(c.Context, arguments)
	if missing := (*shard.Missing)(nil); errors.As(err, &missing) {
		return goOn(c, parts, missing)
	}
	if err != nil {
		return err
	}
	return parts.Finish()
}

// errGoesOn is the error of a merge that has decided a round, and said so.
var errGoesOn = errors.New("the shards are to run again")

// goOn ends a merge to which parts are missing: where passes have become complete since the merge before, they are kept, and the next ones are named.
func goOn(c *cli.Context, parts *shard.Runner, missing *shard.Missing) error {
	round, err := parts.Decide(missing)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = printJSON(c, struct {
			Finished bool `json:"finished"`
			*shard.Round
		}{false, round})
		if err != nil {
			return err
		}
		return errGoesOn
	}
	for _, w := range round.Decided {
		fmt.Fprintf(c.App.Writer, "%s (pass %d) is decided\n", w.Phase, w.Pass)
	}
	for _, w := range round.Next {
		what := ""
		if n := len(w.Variants); n > 0 {
			what = fmt.Sprintf(", %d sets of layers on %d sequences", n, w.Sequences)
		}
		fmt.Fprintf(c.App.Writer, "%s (pass %d) is next%s: shards %s of %d have their parts to do\n", w.Phase, w.Pass, what,
			shard.Ranges(w.Missing), round.Shards)
	}
	fmt.Fprintf(c.App.Writer, "run the shards again, each with --shard i/%d --state %s, and then merge\n", round.Shards, missing.Folders[0])
	return errGoesOn
}
