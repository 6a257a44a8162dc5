package command

// --calib-tokens auto: text is taken until the set that goes is settled.

import (
	"fmt"
	"strconv"
	"strings"

	"avssnative/calib"
	"avssnative/internal/job"

	"github.com/urfave/cli/v2"
)

const (
	// leastTokens and manyTokens bound what auto takes by itself: a look at fewer tells nothing, and published repairs settle below the latter.
	leastTokens, manyTokens = 4096, 65536
	settledLevel            = "5%"
)

func settledFlag() cli.Flag {
	return text("calib-settled", settledLevel,
		"with --calib-tokens auto: the set is settled where other text would name another with less than this probability")
}

// growing reads --calib-tokens where it is auto; least is 0 where it is a number.
func growing(c *cli.Context) (least, most int, err error) {
	word := c.String("calib-tokens")
	bounds, auto := strings.CutPrefix(word, "auto")
	if !auto {
		return 0, 0, nil
	}
	if bounds == "" {
		return leastTokens, manyTokens, nil
	}
	wrong := usage("--calib-tokens %.40s: want auto:LEAST-MOST, as auto:4096-65536", word)
	low, high, both := strings.Cut(strings.TrimPrefix(bounds, ":"), "-")
	if bounds[0] != ':' || !both {
		return 0, 0, wrong
	}
	least, err = strconv.Atoi(low)
	if err != nil || least < 2 || least > mostTokens {
		return 0, 0, wrong
	}
	most, err = strconv.Atoi(high)
	if err != nil || most < least || most > mostTokens {
		return 0, 0, wrong
	}
	return least, most, nil
}

// calibrationTokens reads --calib-tokens: how many at most.
func calibrationTokens(c *cli.Context) (int, error) {
	least, most, err := growing(c)
	if err != nil {
		return 0, err
	}
	if least == 0 {
		n, err := strconv.Atoi(c.String("calib-tokens"))
		if err != nil || n < 2 || n > mostTokens {
			return 0, usage("--calib-tokens %.40s: want 2 to %d, or auto", c.String("calib-tokens"), mostTokens)
		}
		return n, nil
	}
	if name := c.Command.Name; name != "run" && name != "score" {
		return 0, usage("--calib-tokens auto: %s settles no set by its scores; give a number of tokens", name)
	}
	if c.String("state") != "" || c.String("shard") != "" {
		return 0, usage("--calib-tokens auto: text is taken until the set is settled by one process alone: " +
			"score without --shard and --state, and keep what it finds by --resume")
	}
	return most, nil
}

// settling reads what --calib-tokens auto is to settle; nil where it is a number.
func settling(c *cli.Context, choice job.Choice) (*job.Settling, error) {
	least, _, err := growing(c)
	if err != nil {
		return nil, err
	}
	if least == 0 {
		return nil, idle(c, "--calib-tokens is a number, not auto", "calib-settled")
	}
	if c.String("target") != "" {
		return nil, usage("--calib-tokens auto and --target: want one of them: how many layers go is known only when the text has been taken")
	}
	if err := job.SettledBy(choice); err != nil {
		return nil, usage("--calib-tokens auto: %w", err)
	}
	level, err := share(c.String("calib-settled"))
	if err != nil {
		return nil, usage("--calib-settled %.40s: %w", c.String("calib-settled"), err)
	}
	return &job.Settling{Level: level, Least: least, Choice: choice}, nil
}

// foreseen is the text that a job is reckoned by: of one that grows nobody knows, so twice what it begins with.
func foreseen(o calib.Options, s job.Scoring) *calib.Options {
	if s.Settle != nil {
		o.Tokens = min(2*s.Settle.Least, o.Tokens)
	}
	return &o
}

// share reads a share as 5% that lies between none and all.
func share(word string) (float64, error) {
	digits, percent := strings.CutSuffix(strings.TrimSpace(word), "%")
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !percent || !(n > 0 && n < 100) {
		return 0, fmt.Errorf("want a share between 0%% and 100%%, as 5%%")
	}
	return n / 100, nil
}
