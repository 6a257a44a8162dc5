package command

import (
	"errors"
	"fmt"
	"strings"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/urfave/cli/v2"
)

func draftCommand() *cli.Command {
	return &cli.Command{
		Name:  "draft",
		Usage: "choose the layers that a draft can do without, which makes the dense model faster without changing a token; with --out write it",
		Description: "The draft says some tokens ahead, the dense model reads them in one step and keeps what it would have said itself: the text is\n" +
			"the dense model's own, or with --temperature drawn from its own distribution. A draft without a\n" +
			"quarter of the layers gains 1.09 x at most; those that pay leave out 40 to 50 %.",
		Flags: flags(modelFlags(), calibrationFlags(), []cli.Flag{bosFlag(),
			text("shares", "25,37.5,50", "shares of the layers that the draft may lack, in per cent"),
			unitFlag(),
			text("metrics", "", "removal metrics whose choices are considered as well, as greedy"),
			number("tokens", 64, "tokens that the model says by itself after each of eight beginnings of calibration texts"),
			decimal("temperature", "that texts are drawn at: a proposed token is then accepted with Σ min(p, q); 0: the most likely tokens"),
			number("seed", 0, "seed of the random baseline and of what is drawn"),
			outFlag(), formatFlag(), forceFlag(), jsonFlag()}),
		Action: draft,
	}
}

// draftJSON is what --json prints.
type draftJSON struct {
	Model      string                 `json:"model"`
	Candidates []bench.DraftCandidate `json:"candidates"` // the best first
	Measured   *job.Drafted           `json:"measured"`   // of the best
	Output     string                 `json:"output,omitempty"`
	Unwritten  string                 `json:"output_error,omitempty"`
	Warnings   []string               `json:"warnings,omitempty"`
}

func draft(c *cli.Context) error {
	calibration, err := calibration(c)
	if err != nil {
		return err
	}
	shares, err := shares(c.String("shares"))
	if err != nil {
		return err
	}
	if c.Int("tokens") < 2 {
		return usage("--tokens %d: want 2 or more", c.Int("tokens"))
	}
	sampling := engine.Sampling{Temperature: c.Float64("temperature"), Seed: uint64(c.Int("seed"))}
	if !(sampling.Temperature >= 0 && sampling.Temperature <= 100) {
		return usage("--temperature %v: want 0 (the most likely token) to 100", sampling.Temperature)
	}
	wanted, err := removalFlag(c, "")
	if err != nil {
		return err
	}
	model, err := prunedModel(c)
	if err != nil {
		return err
	}
	if model.path == "" {
		if err := idle(c, "without --out no draft is written", "format"); err != nil {
			return err
		}
	}
	if err := idleCalibration(c); err != nil {
		return err
	}
	j, err := open(c, nil)
	if err != nil {
		return err
	}
	defer j.Close()
	if err := scoreUnits(c, j, "delta"); err != nil {
		return err
	}
	if err := model.check(c, j.Model, prune.Count(1)); err != nil {
		return err
	}
	scoring := job.Scoring{Metrics: wanted, Seed: uint64(c.Int("seed"))}
	for _, share := range shares {
		scoring.Greedy = max(scoring.Greedy, int(share*float64(j.Units())+0.5))
	}
	if err := calibrateAndScore(c.Context, j, calibration, scoring); err != nil {
		return err
	}
	o := job.Drafting{Shares: shares, Tokens: c.Int("tokens"), Sampling: sampling}
	found, err := j.FindDraft(c.Context, o)
	if err != nil {
		return err
	}
	best := found[0]
	measured, err := j.MeasureDraft(c.Context, bench.Draft{Drop: best.Drop, Tokens: best.Proposed}, o)
	if err != nil {
		return err
	}
	// What was found is printed before the draft is written, so that nothing found is lost with it.
	if !c.Bool("json") {
		showDrafts(c, found, measured)
	}
	answer := draftJSON{Model: j.Model.Ref, Candidates: found, Measured: measured}
	var failed error
	if model.path != "" {
		if err := j.Write(c.Context, best.Drop, model.path, model.options); err != nil {
			failed = asFlags(c, err)
			answer.Unwritten = j.Report.Unwritten
		} else {
			answer.Output = model.path
		}
	}
	answer.Warnings = j.Report.AllWarnings()
	if c.Bool("json") {
		return errors.Join(failed, printJSON(c, answer))
	}
	for _, warning := range answer.Warnings {
		fmt.Fprintf(c.App.Writer, "Warning: %s\n", shown(warning))
	}
	if out := shown(answer.Output); out != "" {
		fmt.Fprintf(c.App.Writer, "The draft is in %s: generate --draft %s --draft-tokens %d.\n", out, out, best.Proposed)
	}
	return failed
}

// draftNames is how wide the layers stand that a draft goes without, so that the table fits a terminal.
const draftNames = 12

// wrapped breaks a list at its commas.
func wrapped(list string, width int) string {
	var lines []string
	line := ""
	for name := range strings.SplitAfterSeq(list, ",") {
		if line != "" && len(line)+len(name) > width {
			lines, line = append(lines, line), ""
		}
		line += name
	}
	return strings.Join(append(lines, line), "\n")
}

// showDrafts prints the candidates and what the best one came to.
func showDrafts(c *cli.Context, found []bench.DraftCandidate, measured *job.Drafted) {
	t := table.NewWriter()
	t.SetOutputMirror(c.App.Writer)
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 1, WidthMax: draftNames, WidthMaxEnforcer: wrapped}})
	t.AppendHeader(table.Row{"without", "chosen by", "same top", "overlap", "accepted", "cost", "ahead", "gain"})
	for _, f := range found {
		t.AppendRow(table.Row{f.Dropped, f.ChosenBy, fmt.Sprintf("%.1f %%", 100*f.SameTop),
			fmt.Sprintf("%.1f %%", 100*f.Overlap), fmt.Sprintf("%.1f %%", 100*f.Acceptance),
			fmt.Sprintf("%.2f", f.Cost), f.Proposed, fmt.Sprintf("%.2f", f.Gain)})
	}
	t.Render()
	best := found[0]
	fmt.Fprintf(c.App.Writer, "\nWithout layers %s, %d tokens ahead: predicted %.2f x, measured %.2f x over %d tokens (%.0f %% of the proposed ones "+
		"accepted).\n",
		best.Dropped, best.Proposed, best.Gain, measured.Gain, measured.Tokens, 100*measured.Acceptance)
	if best.Gain <= 1 {
		fmt.Fprintln(c.App.Writer, "No draft of these makes this model faster here.")
	}
}
