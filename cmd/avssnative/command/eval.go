package command

import (
	"io"

	"avssnative/bench"
	"avssnative/engine"

	"github.com/urfave/cli/v2"
)

func evalCommand() *cli.Command {
	return &cli.Command{
		Name: "eval", Usage: "judge a model on tasks; with --drop, the model without some layers beside it",
		Flags: flags(modelFlags(), []cli.Flag{bosFlag(), number("seq-len", 0, "tokens the model takes at a time; 0: what it was made for"),
			text("drop", "", "layers to leave out, as 3,7,11: judged beside the whole model"),
			toggle("alone", "with --drop: judge the smaller model alone"),
			number("seed", 0, "seed of samples and of the paired bootstrap")}, taskFlags(), shardFlags(),
			[]cli.Flag{samplesFlag(), reportFlag(), jsonFlag()}),
		Action: eval,
	}
}

func eval(c *cli.Context) error {
	evaluation, err := evaluation(c)
	if err != nil {
		return err
	}
	evaluation.Length = c.Int("seq-len")
	layers, err := integers(c.String("drop"))
	if err != nil {
		return usage("--drop %q: want layers as 3,7,11: %v", c.String("drop"), err)
	}
	j, err := open(c)
	if err != nil {
		return err
	}
	defer j.Close()
	var drop engine.Drop
	if len(layers) > 0 {
		if drop, err = j.Named(layers); err != nil {
			return err
		}
	}
	var results []bench.Result
	err = withSamples(c, func(w io.Writer) error {
		evaluation.Samples = w
		if c.Bool("alone") {
			results, err = j.JudgeOnly(c.Context, evaluation, drop)
		} else {
			results, err = j.Judge(c.Context, evaluation, drop)
		}
		return err
	})
	if err != nil {
		return err
	}
	if !c.Bool("json") {
		return finish(c, j.Report)
	}
	if j.Report, err = settle(c, j.Report); err != nil {
		return err
	}
	if dir := c.String("report"); dir != "" {
		if err := j.Report.Save(dir); err != nil {
			return err
		}
	}
	// The report's own keys and lm-evaluation-harness's stand side by side, so that readers of either find theirs.
	data, err := j.Report.JSON()
	if err != nil {
		return err
	}
	return printMerged(c, data, bench.Harness(results))
}
