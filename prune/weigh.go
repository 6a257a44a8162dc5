package prune

import (
	"context"
	"fmt"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/failure"
)

// Weigh measures what some sets cost on every sequence of a text: the sum over its scored tokens of the divergence from the dense model, or of the
// loss (Objective), in nats, by set and sequence; by objective task by set and question. Of the options Objective, Questions, Repair, Fit, Memory
// and Progress say how; all sets walk together.
func Weigh(ctx context.Context, r avss.Runner, text []engine.Sequence, sets []engine.Drop, o SearchOptions) ([][]float64, error) {
	if o.Objective == "" {
		o.Objective = ObjectiveKL
	}
	c := &costs{runner: r, text: text, o: o, layers: r.Layers()}
	if err := c.measure(); err != nil {
		return nil, fmt.Errorf("prune: weigh: %w", err)
	}
	if o.Repair == RepairLstsq {
		m, able := r.(Searchable)
		if !able {
			return nil, failure.Unsupported.Errorf("prune: weigh: gaps are bridged between passes, so one process does all of it")
		}
		o.Fit = bridging(pieces(o.Fit))
		(&search{o: o, costs: c}).prepare(m, text)
	}
	measured := make([]*contender, len(sets))
	for i, set := range sets {
		measured[i] = &contender{drop: set}
	}
	if err := c.spend(ctx, measured, 0, len(c.ends)); err != nil {
		return nil, err
	}
	costs := make([][]float64, len(sets))
	for i, m := range measured {
		costs[i] = m.spent
	}
	return costs, nil
}
