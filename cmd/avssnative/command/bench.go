package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name: "bench", Usage: "judge what each metric would drop at several shares, in as few passes as possible, beside " +
			strings.Join(avss.Names(avss.Baseline), ", "),
		Description: metricsAbout(),
		Flags: flags(modelFlags(), calibrationFlags(), []cli.Flag{bosFlag(),
			text("metrics", strings.Join(rankings(false), ","), "rankings to compare, by the names that score prints; all adds the other formulas and "+
				strings.Join(allRemovals(), ", ")+"; search is measured where it is named, and then what each choice costs more than its own is printed"),
			text("shares", "12.5,25,37.5,50", "shares of the layers to drop, in per cent"),
			modeFlag(),
			text("site", "delta", "what avss looks at: delta, block, attn, mlp or act"),
			number("random", 3, "seeds of the random baseline"),
			seedFlag(),
			number("protect-first", 0, "layers at the input that stay"), number("protect-last", 0, "layers at the output that stay"),
			unitFlag(),
			number("generate", 16, "tokens that every model says after the beginnings of two calibration texts; 0: none"),
			toggle("one-by-one", "also judge every plan by itself, to show what walking them together saves")},
			searchFlags(), []cli.Flag{repairFlag("none: plain cuts alone")}, taskFlags(), judgingFlags(), shardFlags(),
			[]cli.Flag{reportFlag(), openFlag(), forceFlag(), jsonFlag()}),
		Action: sweep,
	}
}

func sweep(c *cli.Context) error {
	calibration, err := calibration(c)
	if err != nil {
		return err
	}
	shares, err := shares(c.String("shares"))
	if err != nil {
		return err
	}
	metrics := commas(c.String("metrics"))
	if len(metrics) == 1 && metrics[0] == "all" {
		metrics = rankings(true)
	}
	for _, metric := range metrics {
		if err := ranking(metric); err != nil {
			return usage("--metrics: %w", err)
		}
	}
	scoring, err := scoring(c, removals(metrics...)...)
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
	if err := judging(c, &evaluation); err != nil {
		return err
	}
	if !slices.Contains(metrics, "avss") {
		if err := idle(c, "avss is not among --metrics", "avss-mode", "site"); err != nil {
			return err
		}
	}
	if err := idleCalibration(c); err != nil {
		return err
	}
	if c.Int("generate") < 0 {
		return usage("--generate %d: want 0 (none) or more", c.Int("generate"))
	}
	repair, err := repairing(c, prune.RepairNone)
	if err != nil {
		return err
	}
	if c.Int("random") < 0 {
		return usage("--random %d: want 0 or more", c.Int("random"))
	}
	j, err := open(c, nil)
	if err != nil {
		return err
	}
	defer j.Close()
	if scoring.Search.Counts, err = job.Counts(j.Model.Layers(), shares, protect(c)); err != nil {
		return usage("--shares %s: %w", c.String("shares"), err)
	}
	widest := 0.0
	for _, s := range shares {
		widest = max(widest, s)
	}
	if err := scoreUnits(c, j, c.String("site")); err != nil {
		return err
	}
	scoring.Greedy = int(widest*float64(j.Units()) + 0.5)
	scoring.Keep = j.Keep(protect(c))
	if err := ask(c, j, &scoring, questions); err != nil {
		return err
	}
	var drops []engine.Drop // each ranking may choose another set
	for _, n := range scoring.Search.Counts {
		drops = append(drops, slices.Repeat([]engine.Drop{j.Widest(n, protect(c))}, len(metrics)+c.Int("random"))...)
	}
	if err := j.RepairsFit(drops, repair.method, calibration); err != nil {
		return err
	}
	plans := len(shares) * (len(metrics) + 2 + max(1, c.Int("random")))
	if err := j.Expect(c.Context, job.Ahead{Calibration: &calibration, Score: true, Searches: scoring.Metrics, Greedy: scoring.Greedy,
		Judge: &evaluation, Plans: plans,
		Generate: c.Int("generate"), Judging: "judging all plans"}); err != nil {
		return err
	}
	if err := calibrateAndScore(c.Context, j, calibration, scoring); err != nil {
		return err
	}
	err = j.Sweep(c.Context, job.Sweeping{Evaluation: evaluation, Metrics: metrics, Shares: shares, Protect: protect(c), Repair: repair.method,
		Mode: scoring.Mode, Site: scoring.Site,
		Generating: job.Generating{Tokens: c.Int("generate")}, Random: c.Int("random"), Alone: c.Bool("one-by-one")})
	if err != nil {
		return err
	}
	r, err := settle(c, j.Report)
	if err != nil {
		return err
	}
	return finish(c, r, saveReport(c, r))
}

// rankings are those compared unless others are asked for: every activation metric, with the first of its further formulas, the published one;
// or all there are.
func rankings(all bool) []string {
	var keys []string
	for _, d := range avss.Metrics(avss.Activation) {
		formulas := d.Formulas
		if !all {
			formulas = formulas[:min(1, len(formulas))]
		}
		keys = append(append(keys, d.Name), formulas...)
	}
	if all {
		keys = append(keys, allRemovals()...)
	}
	return keys
}

// shares reads percentages between commas.
func shares(text string) ([]float64, error) {
	var all []float64
	for _, part := range commas(text) {
		p, err := strconv.ParseFloat(strings.TrimSuffix(part, "%"), 64)
		if err != nil || !(p > 0 && p < 100) {
			return nil, usage("--shares %s: %q is no share between 0 and 100 per cent", text, part)
		}
		all = append(all, p/100)
	}
	if len(all) == 0 {
		return nil, usage("--shares: want at least one, as 25,50")
	}
	return all, nil
}

// ranking says what is wrong with the name of a ranking: a metric's, or avss-MODE-SITE.
func ranking(name string) error {
	formula, isFormula := strings.CutPrefix(name, "avss-")
	if !isFormula {
		_, err := avss.Lookup(name)
		return err
	}
	mode, site, _ := strings.Cut(formula, "-")
	if _, err := avss.ParseMode(mode); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if _, err := avss.ParseSite(site); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
