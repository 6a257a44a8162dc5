package job

import (
	"context"
	"errors"
	"fmt"

	"avssnative/engine"
	"avssnative/prune"
)

// ErrTooLittle says that there is too little calibration text to repair by.
var ErrTooLittle = errors.New("repair")

// Repair changes the layers that stay so that the pruned model comes nearer to the dense one, and keeps what does so on the half of the calibration
// text that nothing was fitted on. What is judged, said and written afterwards is the repaired model.
func (j *Job) Repair(ctx context.Context, drop engine.Drop, method prune.RepairMethod) error {
	if !j.Repairs(method) {
		return nil
	}
	r, err := j.solve(ctx, drop, method)
	if err != nil {
		return err
	}
	j.repair, j.Report.Repair = r.Repair, r
	if len(r.Linear) > 0 && j.Report.Size != nil {
		j.size(drop)
	}
	if r.Repair == nil {
		j.Report.Warnings = append(j.Report.Warnings, "repair: nothing that was tried comes nearer to the dense model than the plain cut")
	}
	return nil
}

// Repairs says whether a method, or the linear maps that come in the place of attentions whatever the method, needs text to fit on.
func (j *Job) Repairs(method prune.RepairMethod) bool {
	return j.Linear || method != prune.RepairNone && method != ""
}

// solve repairs the model without some units, once for each set of them; what it finds is not yet the job's own repair.
func (j *Job) solve(ctx context.Context, drop engine.Drop, method prune.RepairMethod) (*prune.Repaired, error) {
	key := drop.String() + " " + string(method)
	if r := j.solved[key]; r != nil {
		return r, nil
	}
	defer j.phase("repair")()
	fit, held := j.halves()
	if len(held) == 0 {
		return nil, fmt.Errorf("%w: the calibration text has %d sequences: some must be fitted on and others judged by", ErrTooLittle, len(j.calibration))
	}
	o := prune.RepairOptions{Method: method, Linear: j.Linear, Fit: fit, Held: held,
		Progress: func(m prune.RepairMethod, s engine.Step) {
			if j.Progress != nil {
				j.Progress("repairing ("+string(m)+")", s)
			}
		}}
	asked := []any{drop, method, j.Linear}
	if j.parted() {
		o.Judge, o.Parts = j.shared, j.shared.Part().Count
		o.Joint = func(m prune.RepairMethod) (engine.Joint, error) {
			return j.shared.Steps("repair by "+string(m), append(asked, m))
		}
	}
	r, err := j.keepRepair(ctx, asked, func() (*prune.Repaired, error) { return prune.Repair(ctx, j.Model, drop, o) })
	if err != nil {
		return nil, err
	}
	if j.solved == nil {
		j.solved = map[string]*prune.Repaired{}
	}
	j.solved[key] = r
	return r, nil
}
