package command

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/internal/forecast"

	"avssnative/engine/device"
	"github.com/urfave/cli/v2"

	_ "avssnative/engine/null"
)

func planCommand() *cli.Command {
	var names []string
	for _, m := range forecast.Machines {
		names = append(names, m.Name)
	}
	return &cli.Command{
		Name: "plan", Usage: "memory, bytes read and time of scoring a model, before it starts and without its weights",
		Description: "The walk is made with shapes alone, on the device null; a roofline turns what it counts into time, so a real job takes longer.",
		Flags: []cli.Flag{
			text("model", "demo", "as for score; a config.json, or a folder with nothing else, is enough"),
			text("device", "", "whose rates to reckon with: "+strings.Join(names, ", ")+"; or --flops and --bandwidth"),
			&cli.Float64Flag{Name: "flops", Usage: "instead: multiplications and additions a second, as 989e12", EnvVars: env("flops")},
			text("bandwidth", "", "instead: bytes a second of the device's memory, as 3GiB"),
			text("read", "3GiB", "bytes a second at which weights come to the device"),
			text("memory", "", "memory of the device, as 24GiB; default: what it has"),
			number("calib-tokens", 131072, "calibration tokens"), number("seq-len", 2048, "tokens a calibration sequence has"),
			text("metrics", "", "removal metrics to be measured as well: ppl, kl"),
			number("shards", 1, "machines that share the sequences"),
			jsonFlag(),
		},
		Action: plan,
	}
}

func plan(c *cli.Context) error {
	if c.Args().Present() {
		return usage("plan: unexpected %q; flags come first and there is nothing after them", c.Args().First())
	}
	j := forecast.Job{Tokens: c.Int("calib-tokens"), Length: c.Int("seq-len"), Shards: c.Int("shards")}
	if j.Tokens < 2 || j.Length < 2 || j.Shards < 1 {
		return usage("--calib-tokens %d --seq-len %d --shards %d: want 2, 2 and 1 or more", j.Tokens, j.Length, j.Shards)
	}
	sizes := map[string]int64{}
	for _, flag := range []string{"memory", "bandwidth", "read"} {
		var err error
		if sizes[flag], err = byteSize(c.String(flag)); err != nil {
			return usage("--%s %s: %v", flag, c.String(flag), err)
		}
	}
	j.Memory, j.Read = sizes["memory"], float64(sizes["read"])
	switch name := c.String("device"); {
	case name != "":
		var err error
		if j.On, err = forecast.FindMachine(name); err != nil {
			return usage("--device: %w: --flops, --bandwidth and --memory", err)
		}
	case c.Float64("flops") > 0 && sizes["bandwidth"] > 0 && j.Memory > 0:
		j.On = forecast.Machine{Name: "as given", FLOPs: c.Float64("flops"), Bandwidth: float64(sizes["bandwidth"]), Memory: j.Memory}
	default:
		return usage("plan: --device is missing, or all of --flops, --bandwidth and --memory")
	}
	for _, name := range commas(c.String("metrics")) {
		d, err := avss.Lookup(name)
		if err != nil {
			return usageError{err}
		}
		if d.Rounds {
			return usage("--metrics %s: what a search does next depends on what it finds, which shapes do not tell", name)
		}
		j.Remove = j.Remove || d.Kind() == avss.Removal
	}
	f, err := forecast.Make(c.Context, func() (*engine.Model, error) {
		return engine.Foresee(c.Context, c.String("model"), engine.Options{Device: "null", Options: device.Options{Memory: j.Memory}})
	}, j)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, f)
	}
	return printForecast(c, f)
}

func printForecast(c *cli.Context, f *forecast.Forecast) error {
	w := c.App.Writer
	fmt.Fprintf(w, "%s: %d layers, hidden %d, %.1f billion parameters, %s stored\n", f.Model, f.Layers, f.Hidden, float64(f.Parameters)/1e9, gib(f.Bytes))
	fmt.Fprintf(w, "on %s: %.0f Tflop/s, %.2f TB/s, %s", f.On.Name, f.On.FLOPs/1e12, f.On.Bandwidth/1e12, gib(f.Memory))
	if f.Shards > 1 {
		fmt.Fprintf(w, "; %d of them, each with its part of the sequences", f.Shards)
	}
	fmt.Fprintln(w)
	for _, walk := range f.Walks {
		var launches int64
		for _, n := range walk.Launches {
			launches += n
		}
		fmt.Fprintf(w, "\n%s: %d sequences, %d passes over the weights\n", walk.Name, walk.Sequences, walk.Passes)
		for _, row := range []struct{ name, value string }{
			{"weights read", gib(walk.Read)},
			{"held at most", gib(walk.Peak) + map[bool]string{true: ", which fits", false: ", which does not fit"}[walk.Fits]},
			{"largest layer", gib(walk.LargestOne)},
			{"arithmetic", fmt.Sprintf("%.3g Tflop", walk.FLOPs/1e12)},
			{"launches", fmt.Sprint(launches)},
			{"computing", took(walk.Compute)},
			{"reading", took(walk.ReadTime)},
			{"together", took(walk.Seconds) + ", limited by " + walk.Limit},
		} {
			fmt.Fprintf(w, "  %-14s %s\n", row.name, row.value)
		}
	}
	if slices.ContainsFunc(f.Walks, func(walk forecast.Walk) bool { return !walk.Fits }) {
		fmt.Fprintf(w, "\nMore --memory, or more --shards, makes room: each holds its own part of the hidden states and two layers' weights.\n")
	}
	return nil
}

func gib(bytes int64) string { return fmt.Sprintf("%.2f GiB", float64(bytes)/(1<<30)) }

func took(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond).String()
}
