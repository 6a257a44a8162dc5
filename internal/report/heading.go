package report

// What stands around the tables in every form: what was looked at, with what, and what the models said.

import (
	"fmt"
	"strings"

	"avssnative/prune"
)

// heading is what was looked at, and with what.
func (r *Report) heading() []string {
	lines := []string{
		fmt.Sprintf("%s: %s, %d layers, %s parameters", r.name(), r.Model.Architecture, r.Model.Layers, count(r.Model.Parameters)),
		fmt.Sprintf("on %s (%s), compute %s", r.Device.Name, r.Device.ISA, r.Device.Compute),
	}
	if c := r.Calibration; c != nil {
		lines = append(lines, fmt.Sprintf("measured on %s: %d tokens in %d sequences", r.text(), c.Tokens, c.Sequences))
	}
	return lines
}

// text is what the calibration text is called: files by their name and folder, not by where somebody's disk has them.
func (r *Report) text() string {
	var names []string
	for _, source := range strings.Split(r.Calibration.Source, ", ") {
		names = append(names, sourceName(source))
	}
	return named(names, inNote)
}

// became says what became of the pruned model, in a line or two; nothing where none was to be written.
func (r *Report) became() []string {
	switch {
	case r.Output == "":
		return nil
	case r.Unwritten != "":
		return []string{"The pruned model was not written to " + r.Output + ":", r.Unwritten + "."}
	case r.Written == prune.FormatMergekit:
		return []string{"What mergekit makes the pruned model of is in " + r.Output + ";", "it holds no weights, and was not tried."}
	}
	if r.Uncomputed != "" {
		return []string{"The pruned model is in " + r.Output + ";",
			"its tensors are the dense model's, byte for byte. It was not tried: nothing can be computed with it here (" + r.Uncomputed + ")."}
	}
	return []string{"The pruned model is in " + r.Output + ";", "it was opened again and computes the same logits."}
}

// Repetition says how much the texts repeat themselves.
func (g Generation) Repetition() string {
	if g.Pruned == nil {
		return fmt.Sprintf("%.0f %% of the runs of four tokens", 100*g.RepeatsDense)
	}
	return fmt.Sprintf("dense %.0f %%, pruned %.0f %% of the runs of four tokens", 100*g.RepeatsDense, 100*g.Repeats)
}
