package job

import (
	"context"

	"avssnative/engine"
	"avssnative/prune"
)

// Write writes the smaller model, with a card that says what the report knows.
func (j *Job) Write(ctx context.Context, drop engine.Drop, path string, o prune.Options) error {
	defer j.phase("writing the model")()
	if p := j.Report.Plan; p != nil {
		o.Card.Metric, o.Card.Rule = p.Metric, p.Rule
	}
	for _, t := range j.Report.Tasks {
		if t.Pruned != nil {
			o.Card.Results = append(o.Card.Results, [4]string{t.Name + " (" + t.Metric + ")", t.Dense.String(), t.Pruned.String(), t.Kept()})
		}
	}
	if err := prune.Write(ctx, j.Model, drop, path, o); err != nil {
		return err
	}
	j.Report.Output = path
	j.size(drop)
	return nil
}
