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
	linear bool // linear maps were asked for, which go before every method
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
		return wantedRepair{method: otherwise, linear: c.Bool("linear")}, nil
	}
	method, err := prune.ParseRepair(name)
	if err != nil {
		return wantedRepair{}, usageError{err}
	}
	return wantedRepair{method, true, c.Bool("linear")}, nil
}

// fits refuses repairs that will not fit into --memory once the layers that go are known, those of further shares too, before anything is computed.
func (r wantedRepair) fits(c *cli.Context, j *job.Job, rule prune.Rule, protect prune.Protect, shares []float64, text *calib.Options) error {
	if !j.Repairs(r.of(j)) {
		return nil
	}
	var drops []engine.Drop
	number := 0
	if rule.Listed() {
		plan, err := prune.ListedUnits(j.Model.Layers(), rule, protect)
		if err != nil {
			return err
		}
		drops = append(drops, plan.Drop())
	} else {
		var err error
		if number, err = rule.Number(j.Model.Layers(), protect); err != nil {
			return err
		}
		drops = append(drops, j.Widest(number, protect))
	}
	counts, err := job.Counts(j.Model.Layers(), shares, protect)
	if err != nil {
		return usage("--shares %s: %w", c.String("shares"), err)
	}
	for _, n := range counts {
		if n != number { // that is repaired already
			drops = append(drops, j.Widest(n, protect))
		}
	}
	return j.RepairsFit(drops, r.of(j), *text)
}

// calibrateAndRepair repairs in commands that need the calibration text for nothing else.
func calibrateAndRepair(c *cli.Context, j *job.Job, drop engine.Drop, r wantedRepair) error {
	if !j.Repairs(r.of(j)) || len(drop) == 0 {
		return nil
	}
	text, err := calibration(c)
	if err != nil {
		return err
	}
	if err := j.RepairsFit([]engine.Drop{drop}, r.of(j), text); err != nil {
		return err
	}
	if err := calibrateFor(c, j); err != nil {
		return err
	}
	return r.repair(c, j, drop)
}

// calibrateFor reads the calibration text, unless that is done.
func calibrateFor(c *cli.Context, j *job.Job) error {
	if j.Calibrated() {
		return nil
	}
	text, err := calibration(c)
	if err != nil {
		return err
	}
	return calibrate(c.Context, j, text)
}

// repair repairs a model. Nobody who did not ask for it shall lose a run to text that is too short for it; that it was left out is said.
func (r wantedRepair) repair(c *cli.Context, j *job.Job, drop engine.Drop) error {
	err := j.Repair(c.Context, drop, r.of(j))
	if r.spares(err) {
		warnUnrepaired(j, err)
		return nil
	}
	return err
}

// spares says whether an error is one that a repair which nobody asked for may be left out for.
func (r wantedRepair) spares(err error) bool {
	return errors.Is(err, job.ErrTooLittle) && !r.asked && !r.linear
}

func warnUnrepaired(j *job.Job, err error) {
	j.Report.Warnings = append(j.Report.Warnings, "the layers that stay were not repaired: "+strings.TrimPrefix(err.Error(), "repair: "))
}
