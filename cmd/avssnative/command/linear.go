package command

import (
	"slices"

	"avssnative/engine"
	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func linearFlag() cli.Flag {
	return toggle("linear", "in the place of attentions that go without their MLP (--unit sublayer, or --drop 7.attn) put the linear maps that come "+
		"nearest to them on the calibration text; written in GGUF files of Llama-shaped models")
}

// checkLinear refuses what --linear does not go with, before any work.
func checkLinear(c *cli.Context, repair wantedRepair, aimed prune.Target) error {
	switch {
	case !c.Bool("linear"):
	case repair.method == prune.RepairScale:
		return usage("--repair scale and --linear: linear maps are fitted to the stream at its own length: take lstsq, refit or full beside them")
	case aimed.Kind == prune.TargetMemory || aimed.Kind == prune.TargetSpeed:
		return usage("--target %s and --linear: what the maps weigh and cost is not counted by it: give --drop", aimed)
	}
	return nil
}

// linear lets a job put linear maps in the place of attentions, where a rule can name any.
func linear(c *cli.Context, j *job.Job, rule prune.Rule, protect prune.Protect) error {
	if !c.Bool("linear") {
		return nil
	}
	if err := j.Model.Fittable(); err != nil {
		return usage("--linear: %w", err)
	}
	if !rule.Listed() && j.Unit != prune.Sublayer {
		return usage("--linear: whole layers are chosen: want --unit sublayer, or attentions named, as in --drop 7.attn")
	}
	if rule.Listed() {
		plan, err := prune.ListedUnits(j.Model.Layers(), rule, protect)
		if err != nil {
			return usageError{asFlags(c, err)}
		}
		if !slices.ContainsFunc(plan.Drop(), func(u engine.Unit) bool { return u.Part == engine.Attention }) {
			return usage("--linear: --drop %s names no attention without its MLP, as 7.attn does", rule)
		}
	}
	j.Linear = true
	return nil
}
