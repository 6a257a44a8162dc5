package command

import (
	"avssnative/avss"
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
	for _, metric := range append(commas(c.String("metrics")), c.String("metric")) {
		if d, err := avss.Lookup(metric); err == nil && what == prune.Sublayer && d.Search != nil && d.Search.Streams {
			return usage("--unit sublayer: %s chooses whole layers; greedy chooses sub-layers", metric)
		}
	}
	j.Unit = what
	return nil
}
