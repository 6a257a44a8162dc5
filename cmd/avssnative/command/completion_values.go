package command

// What flags and arguments may be.

import (
	"slices"
	"strings"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/engine/device"
	"avssnative/internal/forecast"
	"avssnative/internal/hub"
	"avssnative/prune"
)

// flagValues are the known values of a command's flag; nil where it takes anything, and where a file's name is wanted.
func flagValues(path []string, flag string) []string {
	command := ""
	if len(path) > 0 {
		command = path[0]
	}
	switch flag {
	case "model", "beside":
		return modelNames()
	case "draft":
		return append([]string{"auto"}, modelNames()...)
	case "metric":
		return avss.Names()
	case "metrics":
		return metricLists(command)
	case "tasks":
		return slices.DeleteFunc(bench.Names(), func(name string) bool { return strings.HasSuffix(name, "-N") })
	case "device":
		if command == "plan" {
			return machineNames()
		}
		return deviceNames()
	case "alternatives":
		return append([]string{"auto", "none"}, alternativeNames()...)
	case "calib":
		return []string{"demo", "self", "-"}
	case "format":
		if command == "report" {
			return []string{"text", "html", "md", "csv", "json", "all"}
		}
		return []string{string(prune.FormatHF), string(prune.FormatGGUF), string(prune.FormatMergekit)}
	}
	return choices[flag]
}

// choices are the values of flags that mean the same in every command.
var choices = map[string][]string{
	"compute":   {string(device.ComputeAuto), string(device.ComputeF32), string(device.ComputeBF16), string(device.ComputeInt8)},
	"avss-mode": namesOf(avss.Modes),
	"site":      siteNames(),
	"unit":      {"layer", prune.Sublayer},
	"repair":    namesOf(prune.RepairMethods),
	"objective": {string(prune.ObjectiveKL), string(prune.ObjectiveNLL)},
	"bos":       {"auto", "yes", "no"},
	"log-level": {"debug", "info", "warn", "error"},
	"target":    {"kl", "retention", "memory", "speed"},
}

// metricLists are the values of --metrics.
func metricLists(command string) []string {
	switch command {
	case "bench":
		return append(rankings(true), "all")
	case "plan":
		return []string{"ppl", "kl"}
	}
	return append(avss.Names(avss.Removal), "all")
}

func namesOf[T ~string](values []T) []string {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = string(v)
	}
	return names
}

func siteNames() []string {
	var names []string
	for site := range device.Sites {
		names = append(names, site.String())
	}
	return names
}

// modelNames are the demo and what the cache holds.
func modelNames() []string {
	cached, err := hub.List(hub.Options{})
	if err != nil {
		return []string{"demo"} // a cache that cannot be read completes nothing
	}
	return append([]string{"demo"}, cached...)
}

func deviceNames() []string {
	names := []string{"auto"}
	for _, kind := range device.Kinds() {
		infos, err := device.List(kind)
		if err != nil {
			continue
		}
		for _, i := range infos {
			if i.Name != "null" {
				names = append(names, i.Name)
			}
		}
	}
	return names
}

func machineNames() []string {
	var names []string
	for _, m := range forecast.Machines {
		names = append(names, m.Name)
	}
	return names
}

// argumentValues are what a command's arguments may be; nil where they are files and folders.
func argumentValues(path []string) []string {
	if len(path) > 0 && (path[0] == "show" || path[0] == "compare") {
		return modelNames()
	}
	return nil
}
