package prune

import (
	"context"
	"fmt"

	"avssnative/engine"
)

func Experiment(ctx context.Context, m *engine.Model, sequences []engine.Sequence, drop engine.Drop, inner bool, skip, sweeps int, relative bool) (*engine.Repair, string, error) {
	r := newRefitter()
	repair, err := m.Fit(ctx, engine.Fit{Sequences: sequences, Drop: drop, Inner: inner, Skip: skip, Relative: relative, Solve: r.solve})
	s := ""
	for _, l := range r.left {
		s += fmt.Sprintf("%s left %.3f at %g\n", l.name, l.left, l.ridge)
	}
	return repair, s, err
}
