package command

import (
	"errors"
	"io"
	"strings"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func evalCommand() *cli.Command {
	return &cli.Command{
		Name: "eval", Usage: "judge a model on tasks; with --drop, the model without some layers beside it",
		Flags: flags(modelFlags(), []cli.Flag{bosFlag(), number("seq-len", 0, "tokens the model takes at a time; 0: what it was made for"),
			text("drop", "", "layers to leave out, as 3,7,11, or the attention or MLP of some, as 3,7.attn,11.mlp: judged beside the dense model"),
			toggle("alone", "with --drop: judge the pruned model alone"),
			repairFlag("none"), linearFlag(),
			seedFlag()}, calibrationFlags()[:3], taskFlags(), shardFlags(),
			[]cli.Flag{samplesFlag(), reportFlag(), openFlag(), forceFlag(), jsonFlag()}),
		Action: eval,
	}
}

// namedUnits reads a list of layers, or halves of layers; one that names none is no list.
func namedUnits(text string) (prune.Rule, error) {
	if strings.Contains(text, ".") {
		drop, err := engine.ParseDrop(text)
		return prune.Units(drop), err
	}
	layers, err := integers(text)
	if err != nil || len(layers) == 0 {
		return prune.Rule{}, err
	}
	return prune.Layers(layers...), nil
}

func eval(c *cli.Context) error {
	evaluation, err := evaluation(c, nil)
	if err != nil {
		return err
	}
	evaluation.Length = c.Int("seq-len")
	repair, err := repairing(c, prune.RepairNone)
	if err != nil {
		return err
	}
	named, err := namedUnits(c.String("drop"))
	if err != nil {
		return usage("--drop %q: want layers as 3,7,11 or 3,7.attn,11.mlp: %v", c.String("drop"), err)
	}
	if !named.Listed() {
		if err := idle(c, "without --drop there is one model", "alone", "linear"); err != nil {
			return err
		}
	}
	if err := checkLinear(c, repair, prune.Target{}); err != nil {
		return err
	}
	j, err := open(c, nil)
	if err != nil {
		return err
	}
	defer j.Close()
	var drop engine.Drop
	if named.Listed() {
		if drop, err = j.Named(named); err != nil {
			return usageError{asFlags(c, err)}
		}
		if err := linear(c, j, named, prune.Protect{}); err != nil {
			return err
		}
	}
	ahead := job.Ahead{Repair: repair.of(j), Judge: &evaluation}
	if len(drop) > 0 && !c.Bool("alone") {
		ahead.Plans = 1
	}
	if j.Repairs(ahead.Repair) && len(drop) > 0 {
		text, err := calibration(c)
		if err != nil {
			return err
		}
		ahead.Calibration = &text
	}
	if err := j.Expect(c.Context, ahead); err != nil {
		return err
	}
	if err := calibrateAndRepair(c, j, drop, repair); err != nil {
		return err
	}
	var results []bench.Result
	judged, kept := withSamples(c, func(w io.Writer) (err error) {
		evaluation.Samples = w
		if c.Bool("alone") {
			results, err = j.JudgeOnly(c.Context, evaluation, drop)
		} else {
			results, err = j.Judge(c.Context, evaluation, drop)
		}
		return err
	})
	if judged != nil {
		return judged
	}
	if j.Report, err = settle(c, j.Report); err != nil {
		return errors.Join(kept, err)
	}
	saved := saveReport(c, j.Report)
	if !c.Bool("json") {
		return finish(c, j.Report, kept, saved)
	}
	// The report's own keys and lm-evaluation-harness's stand side by side, so that readers of either find theirs.
	data, err := j.Report.JSON()
	if err != nil {
		return err
	}
	failed := errors.Join(kept, saved, printMerged(c, data, bench.Harness(results)))
	return errors.Join(failed, openReport(c, failed))
}
