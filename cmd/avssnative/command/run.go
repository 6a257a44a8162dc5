package command

import (
	"fmt"
	"io"
	"os"

	"avssnative/avss"
	"avssnative/internal/job"
	"avssnative/internal/report"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "the whole job: score the layers, choose what goes, judge before and after, report, and with --out write the smaller model",
		Description: metricsAbout(),
		Flags: flags(modelFlags(), calibrationFlags(), []cli.Flag{bosFlag()}, metricFlags(), dropFlags(), taskFlags(),
			[]cli.Flag{samplesFlag(), number("generate", 24, "tokens that both models say after the beginnings of two calibration texts; 0: none"), reportFlag(), outFlag(), formatFlag(), forceFlag(), resumeFlag(), jsonFlag()}),
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
	scoring, err := scoring(c, removals(choice.Metric)...)
	if err != nil {
		return err
	}
	evaluation, err := evaluation(c)
	if err != nil {
		return err
	}
	if c.Int("generate") < 0 {
		return usage("--generate %d: want 0 (none) or more", c.Int("generate"))
	}
	evaluation.Speed = true
	write, err := writing(c)
	if err != nil {
		return err
	}
	j, err := open(c)
	if err != nil {
		return err
	}
	defer j.Close()
	scoring.Keep = choice.Protect.Keep(j.Model.Layers())
	if err := calibrateAndScore(c.Context, j, calibration, scoring); err != nil {
		return err
	}
	drop, err := j.Choose(choice)
	if err != nil {
		return err
	}
	if err := withSamples(c, func(w io.Writer) error {
		evaluation.Samples = w
		_, err := j.Judge(c.Context, evaluation, drop)
		return err
	}); err != nil {
		return err
	}
	if err := j.Generate(c.Context, job.Generating{Tokens: c.Int("generate")}, drop); err != nil {
		return err
	}
	if c.String("out") != "" && !resumed(c) {
		if err := j.Write(c.Context, drop, c.String("out"), write); err != nil {
			return err
		}
	}
	return finish(c, j.Report)
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

// rule reads --drop and --drop-mass.
func rule(c *cli.Context) (prune.Rule, error) {
	if mass := c.String("drop-mass"); mass != "" {
		if c.IsSet("drop") {
			return prune.Rule{}, usage("--drop and --drop-mass: want one of them")
		}
		r, err := prune.ParseMass(mass)
		if err != nil {
			return r, usageError{err}
		}
		return r, nil
	}
	r, err := prune.ParseRule(c.String("drop"))
	if err != nil {
		return r, usageError{err}
	}
	return r, nil
}

func protect(c *cli.Context) prune.Protect {
	return prune.Protect{First: c.Int("protect-first"), Last: c.Int("protect-last")}
}

// writing reads the flags of the output and refuses one that stands in the way before any work is done.
func writing(c *cli.Context) (prune.Options, error) {
	o := prune.Options{Force: c.Bool("force")}
	if f := c.String("format"); f != "" {
		format, err := prune.ParseFormat(f)
		if err != nil {
			return o, usageError{err}
		}
		o.Format = format
	}
	if out := c.String("out"); out != "" && !o.Force && !resumed(c) {
		if _, err := os.Lstat(out); err == nil {
			return o, usage("--out %s: exists already; choose another name or add --force to replace it", out)
		}
	}
	return o, nil
}

// withSamples gives the file of --samples, whole or not at all, to what writes it.
func withSamples(c *cli.Context, write func(io.Writer) error) error {
	path := c.String("samples")
	if path == "" {
		return write(nil)
	}
	return report.WriteFile(path, write)
}

// finish shows the report and saves it where it was asked for.
func finish(c *cli.Context, r *report.Report) error {
	r, err := settle(c, r)
	if err != nil {
		return err
	}
	if dir := c.String("report"); dir != "" {
		if err := r.Save(dir); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		data, err := r.JSON()
		if err != nil {
			return err
		}
		_, err = c.App.Writer.Write(data)
		return err
	}
	if err := r.Terminal(c.App.Writer); err != nil {
		return err
	}
	if dir := c.String("report"); dir != "" {
		fmt.Fprintf(c.App.Writer, "\nReport: %s/report.html\n", dir)
	}
	return nil
}
