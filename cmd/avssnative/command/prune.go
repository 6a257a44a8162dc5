package command

import (
	"errors"

	"avssnative/avss"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func pruneCommand() *cli.Command {
	return &cli.Command{
		Name: "prune", Usage: "write the pruned model: by the scores of a file (--scores), or without the layers named (--drop 3,7,11)",
		Flags: flags(modelFlags(), metricFlags(), dropFlags(), []cli.Flag{targetFlag(), unitFlag()}, calibrationFlags(), []cli.Flag{
			bosFlag(), repairFlag("none"), linearFlag(),
			text("scores", "", "scores.json that score wrote for this model"),
			outFlag(), formatFlag(), forceFlag(), resumeFlag(), jsonFlag(),
		}),
		Action: pruneModel,
	}
}

func pruneModel(c *cli.Context) error {
	if c.String("out") == "" {
		return usage("--out is missing: where the pruned model shall be written")
	}
	choice, err := choice(c)
	if err != nil {
		return err
	}
	aimed, err := target(c, &choice)
	if err != nil {
		return err
	}
	metric, err := avss.Lookup(choice.Metric)
	if err != nil {
		return usageError{err}
	}
	if !choice.Rule.Listed() && metric.Kind() != avss.Baseline && c.String("scores") == "" {
		if aimed != (prune.Target{}) {
			return usage("--target %s needs scores: give --scores FILE (avssnative score --out FILE)", aimed)
		}
		return usage("--drop %s needs scores: give --scores FILE (avssnative score --out FILE), or name the layers as 3,7,11", choice.Rule)
	}
	repair, err := repairing(c, prune.RepairNone)
	if err != nil {
		return err
	}
	if err := errors.Join(idleChoice(c, choice), checkLinear(c, repair, aimed)); err != nil {
		return err
	}
	if !metric.Seeded || choice.Rule.Listed() {
		if err := idle(c, "nothing is drawn by chance", "seed"); err != nil {
			return err
		}
	}
	model, err := prunedModel(c)
	if err != nil {
		return err
	}
	j, err := open(c, nil)
	if err != nil {
		return err
	}
	defer j.Close()
	if err := followed(c, j, choice.Rule); err != nil {
		return err
	}
	if err := model.check(c, j.Model, choice.Rule); err != nil {
		return err
	}
	if err := scoreUnits(c, j, "delta"); err != nil {
		return err
	}
	if path := c.String("scores"); path != "" && !choice.Rule.Listed() {
		wanted := j.Unit
		if err := useScores(j, path); err != nil {
			return err
		}
		if typed(c, "unit") && j.Unit != wanted {
			return usage("--unit %s: %s has scores of other units: score the model with it", c.String("unit"), path)
		}
	}
	if err := linear(c, j, choice.Rule, protect(c)); err != nil {
		return err
	}
	if aimed.Kind == prune.TargetKL {
		if err := calibrateFor(c, j); err != nil {
			return err
		}
	}
	if err := aim(c, j, aimed, &choice, &repair, job.Evaluation{}); err != nil {
		return err
	}
	drop, err := j.Choose(choice)
	if err != nil {
		return asFlags(c, err)
	}
	if err := calibrateAndRepair(c, j, drop, repair); err != nil {
		return err
	}
	return conclude(c, j, drop, model)
}

// useScores takes the scores of a file that was made for this very model.
func useScores(j *job.Job, path string) error {
	file, err := avss.ReadFile(path)
	if err != nil {
		return err
	}
	if err := file.Matches(j.Report.Model); err != nil {
		return err
	}
	return j.UseScores(file)
}
