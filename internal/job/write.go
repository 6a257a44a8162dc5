package job

import (
	"context"
	"errors"

	"avssnative/engine"
	"avssnative/internal/shard"
	"avssnative/prune"
)

// Announce notes in the report where the pruned model will be written, and that it is not there yet: a report that is saved before the model
// is written and is never saved again says so.
func (j *Job) Announce(path string) {
	j.Report.Output, j.Report.Unwritten = path, "the program ended before it was whole"
}

// Intend keeps, in the folder of a job that has one, which model is about to be written, before there is anything of it. A job that is called again
// knows by that what it finds at the model's place for its own, and one that would write another model is refused, also where neither has a pass.
func (j *Job) Intend(ctx context.Context, drop engine.Drop, format prune.Format) error {
	if j.shared == nil {
		return nil
	}
	format, err := prune.FormatOf(j.Model, format)
	if err != nil {
		return err
	}
	if err := errors.Join(j.note("what goes", drop.String()), j.note("format", format)); err != nil {
		return err
	}
	_, err = j.shared.Keep(ctx, "writing", j.repair.Fingerprint(), func(shard.Part) ([]byte, error) { return nil, nil })
	return err
}

// Write writes the pruned model, with a card that says what the report knows. The report says what became of it, also where there is an error.
func (j *Job) Write(ctx context.Context, drop engine.Drop, path string, o prune.Options) error {
	defer j.phase("writing the model")()
	format, err := prune.FormatOf(j.Model, o.Format)
	if err != nil {
		return err
	}
	if p := j.Report.Plan; p != nil {
		o.Card.Metric, o.Card.Rule = p.Metric, p.Rule
	}
	o.Repair = j.repair
	if r := j.Report.Repair; r != nil && r.Repair != nil {
		o.Card.Repair = string(r.Method)
	}
	o.Card.Warnings = j.Report.AllWarnings()
	for _, t := range j.Report.Tasks {
		if t.Pruned != nil {
			o.Card.Results = append(o.Card.Results, [4]string{t.Name + " (" + t.Metric + ")", t.Dense.String(), t.Pruned.String(), t.Kept()})
		}
	}
	o.Notice = func(text string) { j.Report.Warnings = append(j.Report.Warnings, text) }
	j.Announce(path)
	if err := prune.Write(ctx, j.Model, drop, path, o); err != nil {
		j.Report.Unwritten = err.Error()
		if errors.Is(err, context.Canceled) {
			j.Report.Unwritten = "interrupted"
		}
		return err
	}
	j.Report.Unwritten, j.Report.Written = "", format
	saved, err := prune.Saves(j.Model, drop, o.Format, o.Repair)
	if err != nil {
		return err
	}
	if err := j.Model.Computable(); err != nil {
		j.Report.Uncomputed = err.Error()
	}
	j.size(saved)
	return nil
}
