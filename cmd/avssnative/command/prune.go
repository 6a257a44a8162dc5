package command

import (
	"avssnative/avss"
	"avssnative/internal/job"

	"github.com/urfave/cli/v2"
)

func pruneCommand() *cli.Command {
	return &cli.Command{
		Name: "prune", Usage: "write the smaller model: by the scores of a file (--scores), or without the layers named (--drop 3,7,11)",
		Flags: flags(modelFlags(), metricFlags(), dropFlags(), []cli.Flag{
			text("scores", "", "scores.json that score wrote for this model"),
			outFlag(), formatFlag(), forceFlag(), jsonFlag(),
		}),
		Action: pruneModel,
	}
}

func pruneModel(c *cli.Context) error {
	if c.String("out") == "" {
		return usage("--out is missing: where the smaller model shall be written")
	}
	choice, err := choice(c)
	if err != nil {
		return err
	}
	if !choice.Rule.Listed() && c.String("scores") == "" {
		return usage("--drop %s needs scores: give --scores FILE (avssnative score --out FILE), or name the layers as 3,7,11", choice.Rule)
	}
	write, err := writing(c)
	if err != nil {
		return err
	}
	j, err := open(c)
	if err != nil {
		return err
	}
	defer j.Close()
	if path := c.String("scores"); path != "" && !choice.Rule.Listed() {
		if err := useScores(j, path); err != nil {
			return err
		}
	}
	drop, err := j.Choose(choice)
	if err != nil {
		return err
	}
	if err := j.Write(c.Context, drop, c.String("out"), write); err != nil {
		return err
	}
	return finish(c, j.Report)
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
