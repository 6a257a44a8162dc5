package command

// Several calibration texts side by side.

import (
	"avssnative/avss"
	"avssnative/internal/job"

	"github.com/urfave/cli/v2"
)

const joint, worst = "joint", "worst"

func chooseFlag() cli.Flag {
	return text("calib-choose", joint,
		"of several texts: joint drops what all of them say together, worst the set that costs least on the text where it costs most")
}

// choosing reads --calib-choose.
func choosing(c *cli.Context, choice *job.Choice) error {
	switch how := c.String("calib-choose"); how {
	case joint:
		return nil
	case worst:
	default:
		return usage("--calib-choose %s: want joint or worst", how)
	}
	if !typed(c, "calib-choose") && len(c.StringSlice("calib")) < 2 {
		return nil
	}
	d, err := avss.Lookup(choice.Metric)
	switch {
	case len(c.StringSlice("calib")) < 2:
		return usage("--calib-choose worst has no effect: it chooses over several texts, each named by a --calib of its own")
	case choice.Rule.Listed():
		return usage("--calib-choose worst has no effect: --drop %s names the layers", choice.Rule)
	case c.String("target") != "":
		return usage("--calib-choose worst and --target: want one of them: what reaches a target is measured for one set alone")
	case c.String("shares") != "":
		return usage("--calib-choose worst and --shares: want one of them: shares are of one ranking")
	case err == nil && (d.Rounds || d.Kind() == avss.Baseline || d.Search != nil && d.Search.Streams):
		return usage("--calib-choose worst: %s has no scores of single texts", choice.Metric)
	}
	choice.Worst = true
	return nil
}
