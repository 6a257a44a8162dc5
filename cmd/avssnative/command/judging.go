package command

import (
	"strings"

	"avssnative/bench"
	"avssnative/internal/job"

	"github.com/urfave/cli/v2"
)

// judgingFlags say what is judged and timed beside the pruned models.
func judgingFlags() []cli.Flag {
	return []cli.Flag{
		text("alternatives", "auto", "the dense model with coarser weights, judged beside: "+strings.Join(alternativeNames(),
			", ")+", none, or auto: those that make it smaller "+
			"(run: the one nearest below the pruned model's size)"),
		toggle("no-timing", "do not time the models; timing takes 5 seconds at most"),
	}
}

// alternativeNames are the types that --alternatives takes.
func alternativeNames() []string {
	var names []string
	for _, t := range bench.Alternatives {
		names = append(names, strings.ToLower(string(t)))
	}
	return names
}

// judging reads them.
func judging(c *cli.Context, e *job.Evaluation) error {
	e.Speed = !c.Bool("no-timing")
	var err error
	if e.Alternatives, err = job.ParseAlternatives(c.String("alternatives")); err != nil {
		return usage("--alternatives: %w", err)
	}
	return nil
}
