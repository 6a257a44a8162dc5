package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"avssnative/prune"
)

// repairNames say what each repair changes.
var repairNames = map[prune.RepairMethod]string{
	prune.RepairNone:   "none: the plain cut",
	prune.RepairScale:  "scale: one factor a gap",
	prune.RepairLstsq:  "lstsq: one matrix a gap",
	prune.RepairRefit:  "refit: output projections",
	prune.RepairFull:   "full: every linear layer",
	prune.RepairLinear: "linear: maps in the place of attentions",
}

// repairTable is how near each repair came to the dense model on text that it was not fitted on.
func (r *Report) repairTable() (Table, bool) {
	if r.Repair == nil || len(r.Repair.Trials) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Repair"}
	t.column("repair", "repair")
	t.column("kl", "KL, nats a token")
	t.column("same_top", "same top token")
	t.column("kept", "")
	var experts *prune.Experts // of the repair that was kept
	for _, trial := range r.Repair.Trials {
		name, known := repairNames[trial.Method]
		if !known {
			name = string(trial.Method)
		}
		cells := []Cell{Term{string(trial.Method), name}, nil, nil, nil}
		if trial.Note == "" {
			cells[1], cells[2] = Number{Value: trial.KL, Places: 4}, Share(trial.SameTop)
		} else {
			cells[3] = Text("cannot be done here")
		}
		if trial.Method == r.Repair.Method {
			cells[3] = Text("kept")
			experts = trial.Experts
		}
		t.add(cells...)
	}
	t.Note = "Solved in closed form on one half of the calibration text and judged on the other: KL(dense ‖ repaired), and the share of rows with " +
		"the dense model's most likely token."
	if len(r.Repair.Linear) > 0 {
		t.Note += fmt.Sprintf(" Linear maps stand in the place of the attention of %s.", plural("layer", r.Repair.Linear))
	}
	if experts != nil {
		t.Note += fmt.Sprintf(" Of the experts' output projections %d were solved and %d left as they are.", experts.Solved, experts.Left)
	}
	var types []string
	for _, name := range slices.Sorted(maps.Keys(r.Repair.Types)) {
		types = append(types, fmt.Sprintf("%d in %s", r.Repair.Types[name], name))
	}
	if len(types) > 0 {
		t.Note += " Tensors replaced: " + strings.Join(types, ", ") + "."
	}
	return t, true
}

// repair refuses numbers that a repair cannot have.
func (c *checker) repair(r *prune.Repaired) {
	if r == nil {
		return
	}
	c.length("repair.trials", len(r.Trials), 16)
	c.length("repair.types", len(r.Types), 64)
	c.length("repair.linear", len(r.Linear), 1<<16)
	for i, t := range r.Trials {
		at := fmt.Sprintf("repair.trials[%d]", i)
		if t.Note == "" {
			c.number(t.KL, 0, math.MaxFloat32, at, "kl")
			c.number(t.SameTop, 0, 1, at, "same_top")
		}
	}
}
