package report

// What stands around the tables in every form: what was looked at, with what, and what the models said.

import "fmt"

// heading is what was looked at, and with what.
func (r *Report) heading() []string {
	lines := []string{
		fmt.Sprintf("%s: %s, %d layers, %s parameters", r.Model.Ref, r.Model.Architecture, r.Model.Layers, count(r.Model.Parameters)),
		fmt.Sprintf("on %s (%s), compute %s", r.Device.Name, r.Device.ISA, r.Device.Compute),
	}
	if c := r.Calibration; c != nil {
		lines = append(lines, fmt.Sprintf("measured on %s: %d tokens in %d sequences", c.Source, c.Tokens, c.Sequences))
	}
	return lines
}

// Repetition says how much the texts repeat themselves.
func (g Generation) Repetition() string {
	if g.Pruned == nil {
		return fmt.Sprintf("%.0f %% of the runs of four tokens", 100*g.RepeatsDense)
	}
	return fmt.Sprintf("dense %.0f %%, pruned %.0f %% of the runs of four tokens", 100*g.RepeatsDense, 100*g.Repeats)
}

// AllWarnings are the plan's warnings and the report's own.
func (r *Report) AllWarnings() []string {
	var all []string
	if r.Plan != nil {
		all = append(all, r.Plan.Warnings...)
	}
	return append(all, r.Warnings...)
}
