package command

// What run and prune do beside --drop: --target says what must hold afterwards, --shares what shall be judged beside the plan.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func targetFlag() cli.Flag {
	return text("target", "", `instead of --drop, what must hold afterwards: "kl 0.1", "retention 95%", "memory 12GiB ctx 8192" or "speed 1.3x"`)
}

func sharesFlag() cli.Flag {
	return text("shares", "", "also judge what the ranking drops at these shares of the layers, in per cent, as 12.5,25,37.5")
}

// target reads --target; the zero value is none. The rule of a choice is one layer until a target is solved. What was typed goes before
// what the environment says.
func target(c *cli.Context, choice *job.Choice) (prune.Target, error) {
	text := c.String("target")
	if text == "" {
		return prune.Target{}, nil
	}
	for _, other := range []string{"drop", "drop-mass"} {
		switch {
		case !typed(c, other):
		case typed(c, "target"):
			return prune.Target{}, usage("--%s and --target: want one of them", other)
		default:
			return prune.Target{}, nil
		}
	}
	t, err := prune.ParseTarget(text)
	if err != nil {
		return t, usage("--%w", err)
	}
	if c.Command.Name == "prune" && t.Kind == prune.TargetRetention {
		return t, usage("--target %s: prune judges no tasks; avssnative run does", t)
	}
	choice.Rule = prune.Count(1)
	return t, nil
}

// aim makes the rule of a choice the one that reaches a target.
func aim(c *cli.Context, j *job.Job, t prune.Target, choice *job.Choice, repair *wantedRepair, evaluation job.Evaluation) error {
	if t == (prune.Target{}) {
		return nil
	}
	find := func() (err error) {
		choice.Rule, err = j.Aim(c.Context, t, *choice, repair.of(j), evaluation)
		return err
	}
	err := find()
	if repair.spares(err) {
		// Text that is too short for a repair that nobody asked for is no reason to stop; what is left out is said.
		warnUnrepaired(j, err)
		*repair = wantedRepair{method: prune.RepairNone, asked: true}
		err = find()
	}
	var unmet *prune.Unmet
	if errors.As(err, &unmet) {
		return fmt.Errorf("--target %s: %s", unmet.Target, unmet.Why)
	}
	if err != nil {
		return asFlags(c, err)
	}
	return nil
}

// besides reads --shares; nil is none.
func besides(c *cli.Context) ([]float64, error) {
	if strings.TrimSpace(c.String("shares")) == "" {
		return nil, nil
	}
	return shares(c.String("shares"))
}

// beside prepares what --shares wants judged.
func beside(c *cli.Context, j *job.Job, shares []float64, choice job.Choice, repair wantedRepair) error {
	if len(shares) == 0 {
		return nil
	}
	err := j.Beside(c.Context, choice, shares, repair.of(j))
	if repair.spares(err) { // that nothing was repaired has been said
		err = j.Beside(c.Context, choice, shares, prune.RepairNone)
	}
	return asFlags(c, err)
}

// searched says for how many layers the searches must find what goes, for all that is asked of them.
func searched(c *cli.Context, j *job.Job, s *job.Scoring, choice job.Choice, t prune.Target, shares []float64) error {
	layers := j.Model.Layers()
	counts, err := sought(choice.Rule, j, choice.Protect)
	if err != nil {
		return usageError{asFlags(c, err)}
	}
	if len(shares) > 0 {
		further, err := job.Counts(layers, shares, choice.Protect)
		if err != nil {
			return usage("--shares %s: %w", c.String("shares"), err)
		}
		counts = append(counts, further...)
		slices.Sort(counts)
		counts = slices.Compact(counts)
	}
	if t != (prune.Target{}) {
		if choice.Metric == "search" {
			return usage("--target and --metric search: a search looks for sets of one size; give --drop, or another metric")
		}
		s.Greedy = j.Units() - max(1, choice.Protect.First+choice.Protect.Last)
	} else if len(counts) > 0 {
		s.Greedy = counts[len(counts)-1] * j.Units() / layers
	}
	s.Search.Counts = counts
	return nil
}
