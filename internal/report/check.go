package report

import (
	"fmt"

	"avssnative/prune"
)

// maxLayers bounds what a report may say of a model, so that rendering one stays cheap.
const maxLayers = 1 << 16

// check makes sure that what refers to layers refers to layers there are, and that what belongs together is there together, so that nothing
// that renders has to.
func (r *Report) check() error {
	layers := r.Model.Layers
	if layers < 0 || layers > maxLayers {
		return fmt.Errorf("model.layers: %d", layers)
	}
	for key, s := range r.Scores {
		for name, values := range map[string]int{"values": len(s.Values), "low": len(s.Low), "high": len(s.High)} {
			if values != layers && (values != 0 || name == "values") {
				return fmt.Errorf("scores.%s.%s: %d values for %d layers", key, name, values, layers)
			}
		}
		if len(s.Low) != len(s.High) {
			return fmt.Errorf("scores.%s: %d low ends of intervals and %d high ones", key, len(s.Low), len(s.High))
		}
	}
	if n := len(r.Layers); n != 0 && n != layers {
		return fmt.Errorf("layers: %d rows for %d layers", n, layers)
	}
	for i, row := range r.Layers {
		if row.Index != i {
			return fmt.Errorf("layers[%d]: index %d", i, row.Index)
		}
	}
	plans := r.Others
	if r.Plan != nil {
		plans = append([]prune.Plan{*r.Plan}, plans...)
	}
	for _, p := range plans {
		if err := within(p.Dropped, layers); err != nil {
			return fmt.Errorf("plan %s: dropped: %w", p.Metric, err)
		}
		if err := within(p.Kept, layers); err != nil {
			return fmt.Errorf("plan %s: kept: %w", p.Metric, err)
		}
	}
	for _, t := range r.Tasks {
		if (t.Pruned == nil) != (t.Change == nil) {
			return fmt.Errorf("tasks.%s: pruned and retention: want both or neither", t.Name)
		}
		if (t.Pruned == nil) != (r.Tasks[0].Pruned == nil) {
			return fmt.Errorf("tasks.%s: pruned: want it of every task or of none", t.Name)
		}
	}
	return r.checkSweep()
}

func (r *Report) checkSweep() error {
	s := r.Sweep
	if s == nil {
		return nil
	}
	if len(s.Metrics) != len(s.Tau) {
		return fmt.Errorf("sweep: %d metrics, agreement of %d", len(s.Metrics), len(s.Tau))
	}
	for i, row := range s.Tau {
		if len(row) != len(s.Metrics) {
			return fmt.Errorf("sweep.agreement_tau[%d]: %d values for %d metrics", i, len(row), len(s.Metrics))
		}
	}
	for i, p := range s.Points {
		if err := within(p.Dropped, s.Layers); err != nil {
			return fmt.Errorf("sweep.points[%d]: %w", i, err)
		}
		if len(p.Tasks) != len(s.Points[0].Tasks) {
			return fmt.Errorf("sweep.points[%d]: %d tasks, the first has %d", i, len(p.Tasks), len(s.Points[0].Tasks))
		}
	}
	return nil
}

// within says which of some layers a model does not have.
func within(some []int, layers int) error {
	for _, layer := range some {
		if layer < 0 || layer >= layers {
			return fmt.Errorf("layer %d of a model with %d", layer, layers)
		}
	}
	return nil
}
