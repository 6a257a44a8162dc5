package command

import (
	"errors"
	"strings"

	"avssnative/calib"
	"avssnative/engine"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

// repairFlag says how the layers that stay are repaired.
func repairFlag(otherwise string) cli.Flag {
	return text("repair", "", "solve the layers that stay anew, without training: none, scale, lstsq, refit, full, or auto, which keeps what is nearest to the dense model; default: "+otherwise)
}

// wantedRepair is what was asked for, or what a command does by itself.
type wantedRepair struct {
	method prune.RepairMethod
	asked  bool
}

// of is the method for a model: by itself no command repairs the demo, whose plain cut costs next to nothing.
func (r wantedRepair) of(j *job.Job) prune.RepairMethod {
	if !r.asked && j.Model.Ref == calib.Demo {
		return prune.RepairNone
	}
	return r.method
}

// repairing reads --repair.
func repairing(c *cli.Context, otherwise prune.RepairMethod) (wantedRepair, error) {
	name := c.String("repair")
	if name == "" {
		return wantedRepair{method: otherwise}, nil
	}
	method, err := prune.ParseRepair(name)
	if err != nil {
		return wantedRepair{}, usageError{err}
	}
	return wantedRepair{method, true}, nil
}

// calibrateAndRepair repairs in commands that need the calibration text for nothing else.
func calibrateAndRepair(c *cli.Context, j *job.Job, drop engine.Drop, r wantedRepair) error {
	method := r.of(j)
	if method == prune.RepairNone || len(drop) == 0 {
		return nil
	}
	text, err := calibration(c)
	if err != nil {
		return err
	}
	if err := calibrate(c.Context, j, text); err != nil {
		return err
	}
	return r.repair(c, j, drop)
}

// repair repairs a model. Nobody who did not ask for it shall lose a run to text that is too short for it; that it was left out is said.
func (r wantedRepair) repair(c *cli.Context, j *job.Job, drop engine.Drop) error {
	err := j.Repair(c.Context, drop, r.of(j))
	if errors.Is(err, job.ErrTooLittle) && !r.asked {
		j.Report.Warnings = append(j.Report.Warnings, "the layers that stay were not repaired: "+strings.TrimPrefix(err.Error(), "repair: "))
		return nil
	}
	return err
}
