package command

import (
	"slices"

	"avssnative/internal/job"
	"avssnative/prune"

	"github.com/urfave/cli/v2"
)

func unitFlag() cli.Flag {
	return text("unit", "layer", "what is scored and chosen: layer, or sublayer: the attention or the MLP of a layer alone; a share or number of layers is then "+
		"as many bytes of sub-layers")
}

// unit reads --unit.
func unit(c *cli.Context) (string, error) {
	switch name := c.String("unit"); name {
	case "layer":
		return "", nil
	case prune.Sublayer:
		return prune.Sublayer, nil
	default:
		return "", usage("--unit %s: want layer or sublayer", name)
	}
}

// scoreUnits lets a job score and choose what --unit says.
func scoreUnits(c *cli.Context, j *job.Job, site string) error {
	what, err := unit(c)
	if err != nil {
		return err
	}
	if what == prune.Sublayer && site != "delta" && site != "block" {
		return usage("--site %s: a sub-layer has one output: want delta or block", site)
	}
	if what == prune.Sublayer && (c.String("metric") == "lorp" || slices.Contains(commas(c.String("metrics")), "lorp")) {
		return usage("--unit sublayer: lorp groups whole layers; greedy chooses sub-layers")
	}
	if what == prune.Sublayer && (c.String("metric") == prune.SearchName || slices.Contains(commas(c.String("metrics")), prune.SearchName)) {
		return usage("--unit sublayer: search chooses whole layers; greedy chooses sub-layers")
	}
	j.Unit = what
	return nil
}
