package command

import (
	"avssnative/internal/imatrix"
	"avssnative/internal/job"
	"avssnative/internal/mapped"

	"github.com/urfave/cli/v2"
)

const imatrixName = "imatrix"

func imatrixFlag() cli.Flag {
	return text(imatrixName, "", "write the importance matrix of the text here, for llama-quantize --imatrix; the model is a .gguf and the device the CPU")
}

// deviceOf is the device that the flags ask for.
func deviceOf(c *cli.Context) string {
	if c.String(imatrixName) != "" {
		return imatrix.Kind
	}
	return c.String("device")
}

// importancePlace is where the importance matrix goes; nil: nowhere.
func importancePlace(c *cli.Context) (*mapped.Place, error) {
	if c.String(imatrixName) == "" {
		return nil, nil
	}
	if d := c.String("device"); d != "auto" && d != "cpu" {
		return nil, usage("--imatrix: it is summed on the CPU, --device is %s", d)
	}
	for _, flag := range []string{"shard", "state", "resume"} {
		if c.String(flag) != "" {
			return nil, usage("--imatrix and --%s: want one of them: the sums are not kept between calls", flag)
		}
	}
	place := outputPlace(c, imatrixName, imatrix.Former)
	if err := place.Check(); err != nil {
		return nil, usage("--imatrix %w", err)
	}
	return place, nil
}

func writeImportance(c *cli.Context, j *job.Job, place *mapped.Place) error {
	if place == nil {
		return nil
	}
	return place.Write(func(path string) error { return j.WriteImportance(c.Context, path) })
}
