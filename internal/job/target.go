package job

import (
	"context"
	"errors"
	"fmt"

	"avssnative/bench"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/prune"
)

// Aim turns a target into the rule that reaches it: how many of the choice's ranking go. Sizes are exact; divergence and retention are measured
// after the repair, on the half of the calibration text that nothing is fitted on and on the tasks.
func (j *Job) Aim(ctx context.Context, t prune.Target, c Choice, method prune.RepairMethod, o Evaluation) (prune.Rule, error) {
	scores, err := j.ranking(c.Metric, c)
	if err != nil {
		return prune.Rule{}, err
	}
	drop := func(count int) (engine.Drop, error) {
		plan, err := j.plan(scores, prune.Count(count), c.Protect)
		if err != nil {
			return nil, err
		}
		return plan.Drop(), nil
	}
	most := min(j.Model.Layers()-1, j.Model.Layers()-c.Protect.First-c.Protect.Last)
	if len(scores.Order) > 0 {
		most = min(most, len(scores.Order))
	}
	value, err := j.measure(ctx, t, method, o)
	if err != nil {
		return prune.Rule{}, err
	}
	a, err := t.Solve(most, func(count int) (float64, error) {
		d, err := drop(count)
		if err != nil {
			return 0, err
		}
		return value(d)
	})
	if err != nil {
		return prune.Rule{}, err
	}
	j.Report.Aimed = a
	return prune.Count(a.Count), nil
}

// measure is how a target's value is found for a set of layers that go.
func (j *Job) measure(ctx context.Context, t prune.Target, method prune.RepairMethod, o Evaluation) (func(engine.Drop) (float64, error), error) {
	switch t.Kind {
	case prune.TargetMemory:
		tokens := t.Context
		if tokens == 0 {
			tokens = j.length(0)
		}
		// Keys and values in half precision, as runtimes keep them.
		need := func(drop engine.Drop) (float64, error) {
			_, weights := j.Model.Size(drop)
			return float64(weights + j.Model.CacheBytes(drop, tokens, 2)), nil
		}
		if all, _ := need(nil); t.Holds(all) {
			return nil, &prune.Unmet{Target: t.String(), Why: fmt.Sprintf("nothing has to go: the dense model needs %s", t.Shown(all))}
		}
		return need, nil
	case prune.TargetSpeed:
		if !j.alone() {
			return nil, errors.New("target speed: is measured by one process alone, not in shards")
		}
		return func(drop engine.Drop) (float64, error) { return j.faster(ctx, drop) }, nil
	case prune.TargetKL:
		return func(drop engine.Drop) (float64, error) { return j.divergence(ctx, drop, method) }, nil
	}
	return j.keeping(ctx, method, o)
}

// divergence is KL(dense ‖ pruned) after the repair, on the half of the calibration text that nothing is fitted on.
func (j *Job) divergence(ctx context.Context, drop engine.Drop, method prune.RepairMethod) (float64, error) {
	if j.Repairs(method) {
		r, err := j.solve(ctx, drop, method)
		if err != nil {
			return 0, err
		}
		for _, trial := range r.Trials {
			if trial.Method == r.Method && trial.Note == "" {
				return trial.KL, nil
			}
		}
	}
	defer j.phase("target")()
	_, held := (&calib.Text{Sequences: j.calibration}).Split()
	if len(held.Sequences) == 0 {
		return 0, fmt.Errorf("%w: the calibration text has %d sequences: half of them are judged by", ErrTooLittle, len(j.calibration))
	}
	p := j.pass("measuring without " + drop.String())
	p.Variants, p.Diverge = []engine.Drop{nil, drop}, true
	for _, s := range held.Sequences {
		p.Sequences = append(p.Sequences, engine.Sequence{IDs: s.IDs, ScoreFrom: 1, ScoreTo: len(s.IDs)})
	}
	outcome, err := j.passes().Run(ctx, p)
	if err != nil {
		return 0, err
	}
	var sum engine.Score
	for _, s := range outcome.Scores[1] {
		sum = sum.Add(s.Score)
	}
	return sum.KL / float64(sum.Tokens), nil
}

// keeping measures retention: the mean of what the tasks keep, as the report has it.
func (j *Job) keeping(ctx context.Context, method prune.RepairMethod, o Evaluation) (func(engine.Drop) (float64, error), error) {
	suite, err := j.Suite(ctx, o)
	if err != nil {
		return nil, err
	}
	var dense []bench.Result
	return func(drop engine.Drop) (float64, error) {
		var repair *engine.Repair
		if j.Repairs(method) {
			r, err := j.solve(ctx, drop, method)
			if err != nil {
				return 0, err
			}
			repair = r.Repair
		}
		defer j.phase("target")()
		p := j.pass("judging without " + drop.String())
		p.Sequences, p.Variants, p.Repairs = suite.Sequences, []engine.Drop{drop}, []*engine.Repair{repair}
		if dense == nil {
			p.Variants, p.Repairs = append(p.Variants, nil), append(p.Repairs, nil)
		}
		judged, _, err := j.judged(ctx, suite, p)
		if err != nil {
			return 0, err
		}
		if dense == nil {
			dense = judged[1]
		}
		c, err := bench.Compare(dense, judged[0], o.Seed)
		if err != nil {
			return 0, err
		}
		return c.MeanOfRatios, nil
	}, nil
}

// faster is how many times the dense model's tokens a second the pruned one makes.
func (j *Job) faster(ctx context.Context, drop engine.Drop) (float64, error) {
	defer j.phase("timing")()
	variants := []engine.Drop{nil, drop}
	s, err := j.speed(timings * len(variants))
	if err != nil {
		return 0, err
	}
	made := make([]float64, len(variants))
	for range timings { // in turn, so that what else the machine does meets both
		for i, v := range variants {
			speed, err := s.Generate(ctx, j.Model, v)
			if err != nil {
				return 0, err
			}
			made[i] = max(made[i], speed)
		}
	}
	if made[0] == 0 {
		return 0, errors.New("target speed: the model continues no text, so nothing is timed")
	}
	return made[1] / made[0], nil
}
