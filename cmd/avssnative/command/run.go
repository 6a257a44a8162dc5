package command

import (
	"errors"
	"io"

	"avssnative/avss"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "the whole job: score the layers, choose what goes, judge before and after, report, and with --out write the pruned model",
		Description: metricsAbout(),
		Flags: flags(modelFlags(), calibrationFlags(), []cli.Flag{settledFlag(), chooseFlag(), bosFlag()}, metricFlags(), searchFlags(), dropFlags(),
			[]cli.Flag{targetFlag(), sharesFlag(), unitFlag(), repairFlag("auto; none for the demo"), linearFlag()}, taskFlags(), judgingFlags(),
			[]cli.Flag{samplesFlag(), number("generate", 24, "tokens that both models say after the beginnings of two calibration texts; 0: none"),
				reportFlag(), openFlag(), outFlag(), formatFlag(), forceFlag(), resumeFlag(), jsonFlag()}),
		Action: runAll,
	}
}

func runAll(c *cli.Context) error {
	calibration, err := calibration(c)
	if err != nil {
		return err
	}
	choice, err := choice(c)
	if err != nil {
		return err
	}
	if err := choosing(c, &choice); err != nil {
		return err
	}
	scoring, err := scoring(c, removals(choice.Metric)...)
	if err != nil {
		return err
	}
	if scoring.Settle, err = settling(c, choice); err != nil {
		return err
	}
	aimed, err := target(c, &choice)
	if err != nil {
		return err
	}
	further, err := besides(c)
	if err != nil {
		return err
	}
	if scoring.Search, err = seeking(c, scoring.Metrics); err != nil {
		return err
	}
	questions, err := asking(c, scoring.Search)
	if err != nil {
		return err
	}
	evaluation, err := evaluation(c, questions)
	if err != nil {
		return err
	}
	if c.Int("generate") < 0 {
		return usage("--generate %d: want 0 (none) or more", c.Int("generate"))
	}
	if err := judging(c, &evaluation); err != nil {
		return err
	}
	repair, err := repairing(c, prune.RepairAuto)
	if err != nil {
		return err
	}
	if err := errors.Join(idleChoice(c, choice), idleCalibration(c), checkLinear(c, repair, aimed)); err != nil {
		return err
	}
	model, err := prunedModel(c)
	if err != nil {
		return err
	}
	if model.path == "" {
		if err := idle(c, "without --out no model is written", "format"); err != nil {
			return err
		}
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
	if err := scoreUnits(c, j, c.String("site")); err != nil {
		return err
	}
	if err := linear(c, j, choice.Rule, protect(c)); err != nil {
		return err
	}
	scoring.Keep = j.Keep(choice.Protect)
	if err := searched(c, j, &scoring, choice, aimed, further); err != nil {
		return err
	}
	if err := ask(c, j, &scoring, questions); err != nil {
		return err
	}
	if err := repair.fits(c, j, choice.Rule, choice.Protect, further, foreseen(calibration, scoring)); err != nil {
		return err
	}
	ahead := job.Ahead{Calibration: foreseen(calibration, scoring), Score: true, Searches: scoring.Metrics, Greedy: scoring.Greedy, Repair: repair.of(j),
		Judge: &evaluation, Plans: 1 + len(further), Generate: c.Int("generate"), Write: model.path != ""}
	if err := j.Expect(c.Context, ahead); err != nil {
		return err
	}
	if err := calibrateAndScore(c.Context, j, calibration, scoring); err != nil {
		return err
	}
	if err := aim(c, j, aimed, &choice, &repair, evaluation); err != nil {
		return err
	}
	if err := j.CompareTexts(c.Context, choice, repair.of(j) != prune.RepairNone); err != nil {
		return err
	}
	drop, err := j.Choose(choice)
	if err != nil {
		return asFlags(c, err)
	}
	if err := repair.repair(c, j, drop); err != nil {
		return err
	}
	if err := beside(c, j, further, choice, repair); err != nil {
		return err
	}
	judged, kept := withSamples(c, func(w io.Writer) error {
		evaluation.Samples = w
		_, err := j.Judge(c.Context, evaluation, drop)
		return err
	})
	if judged != nil {
		return judged
	}
	if err := j.Generate(c.Context, job.Generating{Tokens: c.Int("generate")}, drop); err != nil {
		return err
	}
	return conclude(c, j, drop, model, kept)
}

// followed refuses a rule that no scores of the model could make possible.
func followed(c *cli.Context, j *job.Job, rule prune.Rule) error {
	if err := rule.Check(j.Model.Layers(), protect(c)); err != nil {
		return usageError{asFlags(c, err)}
	}
	return nil
}

// removals are the removal metrics that a metric's name asks for.
func removals(metrics ...string) []string {
	var wanted []string
	for _, metric := range metrics {
		if d, err := avss.Lookup(metric); err == nil && d.Kind() == avss.Removal {
			wanted = append(wanted, metric)
		}
	}
	return wanted
}

// choice reads the flags that say what goes.
func choice(c *cli.Context) (job.Choice, error) {
	rule, err := rule(c)
	if err != nil {
		return job.Choice{}, err
	}
	metric := c.String("metric")
	if _, err := avss.Lookup(metric); err != nil {
		return job.Choice{}, usageError{err}
	}
	mode, err := avss.ParseMode(c.String("avss-mode"))
	if err != nil {
		return job.Choice{}, usageError{err}
	}
	site, err := avss.ParseSite(c.String("site"))
	if err != nil {
		return job.Choice{}, usageError{err}
	}
	return job.Choice{Metric: metric, Rule: rule, Protect: protect(c), Mode: mode, Site: site, Seed: uint64(c.Int("seed"))}, nil
}

// rule reads --drop and --drop-mass. What was typed goes before what the environment says.
func rule(c *cli.Context) (prune.Rule, error) {
	if typed(c, "drop") && typed(c, "drop-mass") {
		return prune.Rule{}, usage("--drop and --drop-mass: want one of them")
	}
	parse, flag := prune.ParseRule, "drop"
	if c.String("drop-mass") != "" && !typed(c, "drop") {
		parse, flag = prune.ParseMass, "drop-mass"
	}
	r, err := parse(c.String(flag))
	if err != nil {
		return r, usageError{asFlags(c, err)}
	}
	return r, nil
}

func protect(c *cli.Context) prune.Protect {
	return prune.Protect{First: c.Int("protect-first"), Last: c.Int("protect-last")}
}
