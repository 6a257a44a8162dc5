package job

import (
	"context"
	"slices"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/prune"
)

// Several shares at once: what one ranking would drop at each, repaired, judged in the same passes as the plan that is written.

// planned is what a ranking drops at one share.
type planned struct {
	metric string
	count  int
	drop   engine.Drop
	repair *engine.Repair
	method string // of the repair; empty where none was asked for
}

// Beside chooses and repairs what shall be judged beside the plan: the layers that the choice's ranking drops at each share.
func (j *Job) Beside(ctx context.Context, c Choice, shares []float64, method prune.RepairMethod) error {
	counts, err := Counts(j.Model.Layers(), shares, c.Protect)
	if err != nil {
		return err
	}
	scores, err := j.ranking(c.Metric, c)
	if err != nil {
		return err
	}
	j.further = nil
	for _, count := range counts {
		plan, err := j.plan(scores, prune.Count(count), c.Protect)
		if err != nil {
			return err
		}
		p := planned{metric: scores.Key(), count: count, drop: plan.Drop()}
		if j.Repairs(method) {
			r, err := j.solve(ctx, p.drop, method)
			if err != nil {
				return err
			}
			p.repair, p.method = r.Repair, string(r.Method)
		}
		j.further = append(j.further, p)
	}
	return nil
}

// variants adds what is judged beside the plan to a pass of the dense and the pruned model.
func (j *Job) variants(p *engine.Pass) {
	for _, b := range j.further {
		if b.drop.String() != p.Variants[1].String() {
			p.Variants, p.Repairs = append(p.Variants, b.drop), append(p.Repairs, b.repair)
		}
	}
}

// shares reports what every share came to. judged are the results of a pass's variants.
func (j *Job) shares(p *engine.Pass, judged [][]bench.Result, outcome *engine.Outcome, seed uint64) error {
	if len(j.further) == 0 {
		return nil
	}
	layers := j.Model.Layers()
	t := &bench.Table{Layers: layers, Passes: outcome.Passes, Blocks: outcome.Blocks, PassesAlone: len(judged)}
	for i, drop := range p.Variants {
		c, err := bench.Compare(judged[0], judged[i], seed)
		if err != nil {
			return err
		}
		set := bench.Variant{Drop: drop, Repair: p.Repairs[i], Results: judged[i], Comparison: c}
		set.Parameters, set.Bytes = j.sizeOf(drop, p.Repairs[i])
		t.Sets = append(t.Sets, set)
		t.BlocksAlone += layers - len(drop)
	}
	for _, b := range j.further {
		at := 1 + slices.IndexFunc(p.Variants[1:], func(d engine.Drop) bool { return d.String() == b.drop.String() })
		t.Counts = append(t.Counts, b.count)
		t.Points = append(t.Points, bench.Point{Metric: b.metric, Count: b.count, Share: float64(b.count) / float64(layers), Repair: b.method, Set: at})
	}
	j.Report.Sweep = sweep(t, j.Unit)
	return nil
}
