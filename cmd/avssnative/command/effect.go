package command

// A flag that would do nothing is a mistake of whoever typed it. One that the environment sets is not: it may be meant for other commands.

import (
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/internal/corpus"
	"avssnative/internal/job"

	"github.com/urfave/cli/v2"
)

// typedArguments is where the program's arguments lie in its metadata.
const typedArguments = "arguments"

// typed says whether a flag was given on the command line itself, not by its variable.
func typed(c *cli.Context, name string) bool {
	arguments, _ := c.App.Metadata[typedArguments].([]string)
	at := slices.Index(arguments, c.Command.Name)
	for i := at + 1; at >= 0 && i < len(arguments); i++ {
		word := strings.TrimPrefix(strings.TrimPrefix(arguments[i], "-"), "-")
		if word == arguments[i] || word == "" {
			return false // flags end here
		}
		word, _, valued := strings.Cut(word, "=")
		if word == name {
			return true
		}
		if !valued && !isToggle(c, word) {
			i++ // the next word is its value
		}
	}
	return false
}

func isToggle(c *cli.Context, name string) bool {
	for _, flag := range c.Command.Flags {
		if _, toggle := flag.(*cli.BoolFlag); toggle && slices.Contains(flag.Names(), name) {
			return true
		}
	}
	return name == "help" || name == "h"
}

// idle refuses flags that were typed although they do nothing, for a reason.
func idle(c *cli.Context, why string, names ...string) error {
	for _, name := range names {
		if typed(c, name) {
			return usage("--%s has no effect: %s", name, why)
		}
	}
	return nil
}

// idleMetric refuses flags of the metric that do nothing with it.
func idleMetric(c *cli.Context, metric string) error {
	if metric == "avss" {
		return nil
	}
	return idle(c, "the metric is "+metric+", not avss", "avss-mode", "site")
}

// idleChoice refuses flags that do nothing for how the layers are chosen.
func idleChoice(c *cli.Context, choice job.Choice) error {
	if !choice.Rule.Listed() {
		return idleMetric(c, choice.Metric)
	}
	why := "--drop " + choice.Rule.String() + " names the layers"
	if d, err := avss.Lookup(choice.Metric); err != nil || d.Kind() != avss.Removal || c.Command.Name != "run" {
		if err := idle(c, why, "metric"); err != nil {
			return err
		}
	}
	return idle(c, why, "avss-mode", "site", "scores")
}

// idleCalibration refuses --calib-field where no file has fields.
func idleCalibration(c *cli.Context) error {
	for _, file := range c.StringSlice("calib") {
		if holds := (corpus.Source{Path: file}).Holds(); file == "-" || holds == ".jsonl" || holds == ".parquet" {
			return nil
		}
	}
	return idle(c, "no file of --calib has fields (.jsonl, .parquet)", "calib-field")
}
