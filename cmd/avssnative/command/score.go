package command

import (
	"errors"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func scoreCommand() *cli.Command {
	return &cli.Command{
		Name: "score", Usage: "measure the layers, print the table, and with --out write scores.json", Description: metricsAbout(),
		Flags: flags(modelFlags(), calibrationFlags(), []cli.Flag{settledFlag(), bosFlag()}, metricFlags(), searchFlags(), shardFlags(), []cli.Flag{
			unitFlag(), taskDataFlag(),
			text("metrics", "", "removal metrics to measure as well: "+strings.Join(avss.Names(avss.Removal), ", ")+", or all"+butAlone()),
			number("greedy-layers", 0, "layers that greedy drops one by one, and search together; 0: a quarter of them"),
			reportFlag(), openFlag(), text("out", "", "write the scores to this .json"), imatrixFlag(), forceFlag(), jsonFlag(),
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
	if scoring.Search, err = seeking(c, wanted); err != nil {
		return err
	}
	questions, err := asking(c, scoring.Search)
	if err != nil {
		return err
	}
	scoring.Greedy = c.Int("greedy-layers")
	if !slices.Contains(wanted, "greedy") && !slices.Contains(wanted, prune.SearchName) {
		if err := idle(c, "neither greedy nor search is measured", "greedy-layers"); err != nil {
			return err
		}
	}
	if err := idleCalibration(c); err != nil {
		return err
	}
	out := outputPlace(c, "out", avss.FormerFile)
	importance, err := importancePlace(c)
	if err != nil {
		return err
	}
	j, err := open(c, out)
	if err != nil {
		return err
	}
	defer j.Close()
	if importance != nil {
		if err := j.Weighable(); err != nil {
			return err
		}
	}
	if err := scoreUnits(c, j, c.String("site")); err != nil {
		return err
	}
	if most := j.Units() - 1; scoring.Greedy < 0 || scoring.Greedy > most {
		return usage("--greedy-layers %d: want 0 (a quarter of them) to %d", scoring.Greedy, most)
	}
	scoring.Keep = j.Keep(prune.Protect{})
	if err := ask(c, j, &scoring, questions); err != nil {
		return err
	}
	if scoring.Search.Counts = []int{scoring.Greedy}; scoring.Greedy == 0 {
		scoring.Search.Counts = []int{avss.Quarter(j.Model.Layers())}
	}
	count := scoring.Search.Counts[0]
	if j.Unit == prune.Sublayer && scoring.Greedy > 0 { // which counts halves
		count = max(1, count/2)
	}
	choice := job.Choice{Metric: c.String("metric"), Mode: scoring.Mode, Site: scoring.Site, Seed: scoring.Seed, Rule: prune.Count(count)}
	if scoring.Settle, err = settling(c, choice); err != nil {
		return err
	}
	ahead := job.Ahead{Calibration: foreseen(calibration, scoring), Score: true, Searches: scoring.Metrics, Greedy: scoring.Greedy}
	if err := j.Expect(c.Context, ahead); err != nil {
		return err
	}
	if err := calibrateAndScore(c.Context, j, calibration, scoring); err != nil {
		return err
	}
	if err := j.CompareTexts(c.Context, choice, false); err != nil {
		return err
	}
	written := errors.Join(writeScores(j, out), writeImportance(c, j, importance))
	r, err := settle(c, j.Report)
	if err != nil {
		return errors.Join(written, err)
	}
	return finish(c, r, written, saveReport(c, r))
}

// removalFlag reads --metrics; what --metric ranks by is measured too.
func removalFlag(c *cli.Context, metric string) ([]string, error) {
	names := commas(c.String("metrics"))
	if c.String("metrics") == "all" {
		names = allRemovals()
	}
	if metric != "" && !slices.Contains(names, metric) {
		names = append(names, metric)
	}
	for _, name := range names {
		if _, err := avss.Lookup(name); err != nil {
			return nil, usageError{err}
		}
	}
	return removals(names...), nil
}
