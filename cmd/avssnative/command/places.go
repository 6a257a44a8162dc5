package command

// Where the outputs of a command go. All places are looked at before any work is done; what stands there is replaced with --force alone, and
// only if it is what the same flag wrote there before.

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/engine/weights"
	"avssnative/internal/job"
	"avssnative/internal/mapped"
	"avssnative/internal/report"
	"avssnative/internal/safetensors"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

// places are the flags that name an output.
var places = []string{"out", imatrixName, "report", "samples"}

// outputPlace is the place that a flag names; nil where it names none. former says what may be replaced there.
func outputPlace(c *cli.Context, flag string, former func(path string) error) *mapped.Place {
	path := c.String(flag)
	if path == "" {
		return nil
	}
	return &mapped.Place{Path: path, Force: c.Bool("force") || resuming(c), Reading: reading(c), Former: former}
}

// checkPlaces looks at the places of a command's outputs. out is that of --out, where that is no model, whose place package prune knows.
func checkPlaces(c *cli.Context, out *mapped.Place) error {
	if err := apart(c); err != nil {
		return err
	}
	if c.Bool("force") && !slices.ContainsFunc(places, func(flag string) bool { return c.String(flag) != "" }) {
		if err := idle(c, "nothing is written", "force"); err != nil {
			return err
		}
	}
	if err := checkOpen(c); err != nil {
		return err
	}
	for flag, place := range map[string]*mapped.Place{"out": out, "report": reportPlace(c), "samples": samplesPlace(c)} {
		if place == nil {
			continue
		}
		if err := place.Check(); err != nil {
			return usage("--%s %w", flag, err)
		}
	}
	return nil
}

// apart refuses outputs of which one is, or lies in, another: the first would be in the way of the second.
func apart(c *cli.Context) error {
	var flags, paths []string
	for _, flag := range places {
		path := c.String(flag)
		if path == "" {
			continue
		}
		whole, err := filepath.Abs(path)
		if err == nil {
			if parent, err := filepath.EvalSymlinks(filepath.Dir(whole)); err == nil {
				whole = filepath.Join(parent, filepath.Base(whole))
			}
		}
		for i, other := range paths {
			in, out := filepath.Rel(other, whole)
			back, _ := filepath.Rel(whole, other)
			if out == nil && (filepath.IsLocal(in) || filepath.IsLocal(back)) {
				return usage("--%s %s and --%s %s: want two places, neither inside the other", flags[i], c.String(flags[i]), flag, path)
			}
		}
		flags, paths = append(flags, flag), append(paths, whole)
	}
	return nil
}

// reading lists what a command reads, as far as flags name it.
func reading(c *cli.Context) []string {
	var all []string
	if path, err := weights.Resolve(c.String("model")); err == nil {
		all = append(all, path)
	}
	for _, file := range c.StringSlice("calib") {
		if file != calib.Demo && file != calib.Self && file != "-" {
			all = append(all, file)
		}
	}
	for _, flag := range []string{"scores", "task-data"} {
		if path := c.String(flag); path != "" {
			all = append(all, path)
		}
	}
	for _, name := range commas(c.String("tasks")) {
		if _, file, named := strings.Cut(name, "="); named {
			all = append(all, file)
		}
	}
	return all
}

// bare says whether a folder is there with nothing in it. To write in it loses nobody anything.
func bare(path string) bool {
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) == 0
}

func reportPlace(c *cli.Context) *mapped.Place {
	dir := c.String("report")
	if dir == "" {
		return nil
	}
	place := report.Place(dir, c.Bool("force") || resuming(c) || bare(dir), reading(c)...)
	return &place
}

func samplesPlace(c *cli.Context) *mapped.Place { return outputPlace(c, "samples", formerSamples) }

// formerSamples returns why a file holds no items of tasks.
func formerSamples(path string) error {
	file, err := mapped.OpenRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	first, err := bufio.NewReader(io.LimitReader(file, 1<<20)).ReadBytes('\n')
	var item map[string]json.RawMessage
	if err != nil || json.Unmarshal(first, &item) != nil {
		return errors.New("no items of tasks")
	}
	for _, key := range []string{"task", "version", "variant", "doc_id", "resps"} {
		if item[key] == nil {
			return errors.New("no items of tasks")
		}
	}
	return nil
}

// formerTrace returns why a file holds no trace.
func formerTrace(path string) error {
	file, err := safetensors.Open(path)
	if err != nil {
		return errors.New("no trace")
	}
	defer file.Close()
	for _, tensor := range file.Tensors() {
		if tensor.Name != "embed" && tensor.Name != "logits" && !strings.HasPrefix(tensor.Name, "block.") {
			return errors.New("no trace")
		}
	}
	return nil
}

// pruned is where the pruned model goes.
type pruned struct {
	path    string
	options prune.Options
}

// prunedModel reads the flags of the pruned model's place.
func prunedModel(c *cli.Context) (pruned, error) {
	p := pruned{c.String("out"), prune.Options{Force: c.Bool("force") || resuming(c) || bare(c.String("out")), Reading: reading(c),
		Linear: c.Bool("linear")}}
	if f := c.String("format"); f != "" && p.path != "" {
		format, err := prune.ParseFormat(f)
		if err != nil {
			return p, usageError{asFlags(c, err)}
		}
		p.options.Format = format
	}
	return p, nil
}

// check looks at the place, the format, and what the format cannot say of the layers that a rule names, before any work.
func (p pruned) check(c *cli.Context, m *engine.Model, rule prune.Rule) error {
	if p.path == "" {
		return nil
	}
	var drop engine.Drop
	if rule.Listed() {
		plan, err := prune.ListedUnits(m.Layers(), rule, protect(c))
		if err != nil {
			return usageError{asFlags(c, err)}
		}
		drop = plan.Drop()
	}
	if err := prune.Check(m, drop, p.path, p.options); err != nil {
		return usageError{asFlags(c, err)}
	}
	return nil
}

// asFlags is an error of package prune in the words of a command line.
func asFlags(c *cli.Context, err error) error {
	var refused *prune.Refused
	var place *mapped.Refused
	switch {
	case errors.As(err, &place):
		return fmt.Errorf("--out %w", place)
	case !errors.As(err, &refused):
		return err
	}
	flag := map[prune.Asked]string{prune.AskedRule: "--drop", prune.AskedMass: "--drop-mass", prune.AskedFormat: "--format"}[refused.Asked]
	if refused.Asked == prune.AskedProtection {
		for _, name := range []string{"protect-first", "protect-last"} {
			if n := c.Int(name); n != 0 {
				flag += fmt.Sprintf(" --%s %d", name, n)
			}
		}
		return fmt.Errorf("%s: %s", strings.TrimSpace(flag), refused.Why)
	}
	if refused.Given != "" {
		flag += " " + refused.Given
	}
	return fmt.Errorf("%s: %s", flag, refused.Why)
}

// conclude saves and prints what was found, and only then writes the pruned model, so that nothing found is lost with it; in the end the report
// says what became of it. Of several things that fail, none keeps the others from being tried.
func conclude(c *cli.Context, j *job.Job, drop engine.Drop, model pruned, kept ...error) error {
	if model.path != "" {
		if err := j.Intend(c.Context, drop, model.options.Format); err != nil {
			return errors.Join(append(kept, err)...)
		}
	}
	done, err := finishedBefore(c)
	if err != nil {
		return errors.Join(append(kept, err)...)
	}
	if done != nil {
		if err := model.writtenBefore(c, j, drop, done); err != nil {
			return errors.Join(append(kept, err)...)
		}
		return finish(c, done, append(kept, saveReport(c, done))...)
	}
	if model.path == "" {
		return finish(c, j.Report, append(kept, saveReport(c, j.Report), keepFinished(c, j.Report))...)
	}
	j.Announce(model.path)
	said := len(j.Report.AllWarnings())
	saved := saveReport(c, j.Report)
	kept = append(kept, saved)
	if !c.Bool("json") {
		kept = append(kept, j.Report.Results(c.App.Writer))
	}
	if err := j.Write(c.Context, drop, model.path, model.options); err != nil {
		kept = append(kept, asFlags(c, err))
	}
	if dir := c.String("report"); dir != "" && saved == nil { // in the place of the one that is there, as a whole
		kept = append(kept, report.Place(dir, true, reading(c)...).Write(j.Report.Save))
	}
	if errors.Join(kept...) == nil {
		kept = append(kept, keepFinished(c, j.Report))
	}
	if c.Bool("json") {
		return finish(c, j.Report, kept...)
	}
	kept = append(kept, j.Report.Ending(c.App.Writer, said))
	return errors.Join(append(kept, sayReport(c, saved))...)
}

// finish prints a report. kept are the errors there were before, which do not keep it from being printed.
func finish(c *cli.Context, r *report.Report, kept ...error) error {
	if c.Bool("json") {
		data, err := r.JSON()
		if err == nil {
			err = printRaw(c, data)
		}
		failed := errors.Join(append(kept, err)...)
		return errors.Join(failed, openReport(c, failed))
	}
	kept = append(kept, r.Terminal(c.App.Writer))
	return errors.Join(append(kept, sayReport(c, errors.Join(kept...)))...)
}

// saveReport saves a report where --report wants it.
func saveReport(c *cli.Context, r *report.Report) error {
	place := reportPlace(c)
	if place == nil {
		return nil
	}
	return place.Write(r.Save)
}

// sayReport says where the page is, if it was saved, and shows it where --open asks for that.
func sayReport(c *cli.Context, failed error) error {
	dir := c.String("report")
	if dir == "" || failed != nil {
		return nil
	}
	if _, err := fmt.Fprintf(c.App.Writer, "\nReport: %s\n", shown(filepath.Join(dir, pageName))); err != nil {
		return err
	}
	return openReport(c, nil)
}

// withSamples gives what judges a model a file to write its items to. A file that cannot be written, which kept tells, is not worth the judgement.
func withSamples(c *cli.Context, judge func(io.Writer) error) (judged, kept error) {
	place := samplesPlace(c)
	if place == nil {
		return judge(nil), nil
	}
	items := &bytesOrError{}
	kept = place.Write(func(path string) error {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return err
		}
		items.to = file
		judged = judge(items)
		items.judged = true
		if judged != nil {
			items.failed = judged
		}
		return errors.Join(items.failed, file.Close())
	})
	if !items.judged { // the place was lost before anything began
		judged = judge(nil)
	}
	if judged != nil {
		return judged, nil
	}
	return nil, kept
}

// bytesOrError passes on what it is given until that fails once, and then nothing more. It never fails itself.
type bytesOrError struct {
	to     io.Writer
	failed error
	judged bool
}

func (w *bytesOrError) Write(data []byte) (int, error) {
	if w.failed == nil {
		_, w.failed = w.to.Write(data)
	}
	return len(data), nil
}

// writeScores writes the scores of a report to a place.
func writeScores(j *job.Job, place *mapped.Place) error {
	if place == nil {
		return nil
	}
	var all []avss.Scores
	for _, key := range j.Report.Keys() {
		all = append(all, j.Report.Scores[key])
	}
	file, err := avss.NewFile(j.Report.Model, *j.Report.Calibration, j.Unit, j.Report.Layers, all...)
	if err != nil {
		return err
	}
	file.Tool = j.Report.Tool
	return place.Write(file.WriteFile)
}
