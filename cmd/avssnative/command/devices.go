package command

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"avssnative/engine/device"
)

func devicesCommand() *cli.Command {
	return &cli.Command{
		Name: "devices", Usage: "show what can compute here, and with which instructions",
		Flags: []cli.Flag{jsonFlag()}, Action: showDevices,
	}
}

// found is one device, or why a kind has none.
type found struct {
	Kind    string   `json:"kind"`
	Name    string   `json:"name,omitempty"`
	About   string   `json:"description,omitempty"`
	ISA     string   `json:"isa,omitempty"`
	Threads int      `json:"threads,omitempty"`
	Memory  int64    `json:"memory_bytes,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	Absent  string   `json:"absent,omitempty"`
}

func showDevices(c *cli.Context) error {
	var all []found
	for _, kind := range device.Kinds() {
		infos, err := device.List(kind)
		if err != nil {
			all = append(all, found{Kind: kind, Absent: err.Error()})
			continue
		}
		for _, i := range infos {
			all = append(all, found{Kind: kind, Name: i.Name, About: i.Description, ISA: i.ISA, Threads: i.Threads, Memory: i.Memory, Notes: i.Notes})
		}
	}
	if c.Bool("json") {
		return printJSON(c, map[string]any{"devices": all})
	}
	var table strings.Builder
	line := func(name, about string) {
		breakLine(&table, fmt.Sprintf("%-10s %s", shown(name), shown(about)), 11, " ", "")
	}
	for _, d := range all {
		if d.Absent != "" {
			line(d.Kind, "none: "+d.Absent)
			continue
		}
		about := d.About + ", " + d.ISA
		if d.Threads > 0 {
			about += fmt.Sprintf(", %d threads", d.Threads)
		}
		if d.Memory > 0 {
			about += fmt.Sprintf(", %.1f GiB", float64(d.Memory)/(1<<30))
		}
		line(d.Name, about)
		for _, note := range d.Notes {
			line("", "  "+note)
		}
	}
	_, err := fmt.Fprint(c.App.Writer, table.String())
	return err
}
