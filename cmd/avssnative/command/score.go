package command

import (
	"strings"

	"avssnative/avss"
	"avssnative/internal/job"

	"github.com/urfave/cli/v2"
)

func scoreCommand() *cli.Command {
	return &cli.Command{
		Name: "score", Usage: "measure the layers, print the table, and with --out write scores.json", Description: metricsAbout(),
		Flags: flags(modelFlags(), calibrationFlags(), []cli.Flag{bosFlag()}, metricFlags(), shardFlags(), []cli.Flag{
			text("metrics", "", "removal metrics to measure as well: "+strings.Join(avss.Names(avss.Removal), ", ")+" or all"),
			number("greedy-layers", 0, "layers that the greedy search drops; 0: a quarter of them"),
			reportFlag(), text("out", "", "write the scores to this .json"), jsonFlag(),
		}),
		Action: score,
	}
}

func score(c *cli.Context) error {
	calibration, err := calibration(c)
	if err != nil {
		return err
	}
	wanted, err := removalFlag(c, c.String("metric"))
	if err != nil {
		return err
	}
	scoring, err := scoring(c, wanted...)
	if err != nil {
		return err
	}
	scoring.Greedy = c.Int("greedy-layers")
	j, err := open(c)
	if err != nil {
		return err
	}
	defer j.Close()
	if err := calibrateAndScore(c.Context, j, calibration, scoring); err != nil {
		return err
	}
	if out := c.String("out"); out != "" {
		if err := writeScores(j, out); err != nil {
			return err
		}
	}
	return finish(c, j.Report)
}

// removalFlag reads --metrics; what --metric ranks by is measured too.
func removalFlag(c *cli.Context, metric string) ([]string, error) {
	if c.String("metrics") == "all" {
		return avss.Names(avss.Removal), nil
	}
	names := commas(c.String("metrics"))
	for _, name := range names {
		if _, err := avss.Lookup(name); err != nil {
			return nil, usageError{err}
		}
	}
	return removals(append(names, metric)...), nil
}

func writeScores(j *job.Job, path string) error {
	var all []avss.Scores
	for _, key := range j.Report.Keys() {
		all = append(all, j.Report.Scores[key])
	}
	file, err := avss.NewFile(j.Report.Model, *j.Report.Calibration, j.Report.Layers, all...)
	if err != nil {
		return err
	}
	file.Tool = j.Report.Tool
	return file.WriteFile(path)
}
