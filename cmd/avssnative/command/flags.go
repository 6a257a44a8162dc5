package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strconv"
	"strings"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/calib"
	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/failure"
	"avssnative/internal/job"
	"avssnative/internal/mapped"
	"avssnative/tokenizer"
	"github.com/urfave/cli/v2"
)

// env is the environment variable that stands for a flag.
func env(flag string) []string {
	return []string{"AVSSNATIVE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

func text(name, value, about string) cli.Flag {
	return &cli.StringFlag{Name: name, Value: value, Usage: about, EnvVars: env(name)}
}

func list(name, about string) cli.Flag {
	return &cli.StringSliceFlag{Name: name, Usage: about, EnvVars: env(name)}
}

func number(name string, value int, about string) cli.Flag {
	return &cli.IntFlag{Name: name, Value: value, Usage: about, EnvVars: env(name)}
}

func toggle(name, about string) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: about, EnvVars: env(name)}
}

// The groups of flags that commands share. Each call makes them anew: a flag keeps the value that its variable gave it.

func modelFlags() []cli.Flag {
	return []cli.Flag{
		text("model", "demo", "folder with config.json and safetensors, .gguf file, org/name[@revision] in the local cache, or demo"),
		text("device", "auto", "auto, cpu, cuda:N or reference"),
		text("compute", "auto", "precision of products: auto, f32, bf16, or int8 (quantised weights alone)"),
		text("memory", "", "what the process may hold, as 8GiB, and a device of its own too; with less, work is done in more turns"),
		number("threads", 0, "processor threads; 0: all"),
	}
}

func calibrationFlags() []cli.Flag {
	return []cli.Flag{
		list("calib", "calibration text: .txt, .jsonl, .parquet, also .gz and .zst, - for stdin, demo, or self: the model writes it; "+
			"default: demo for the demo, self for others"),
		text("calib-field", "", "where a .jsonl or .parquet holds its text; with --calib -, stdin is .jsonl"),
		text("calib-tokens", fmt.Sprint(calib.DefaultTokens),
			"calibration tokens; run, score: auto, or auto:LEAST-MOST, takes text until the set that goes is settled"),
		number("seq-len", calibrationLength, "tokens a calibration sequence has at most"),
	}
}

func metricFlags() []cli.Flag {
	return []cli.Flag{
		text("metric", "avss", "what ranks the layers: "+metricNames(avss.Activation, avss.Removal, avss.Baseline)),
		modeFlag(),
		text("site", "delta", "what avss looks at: delta, block, attn, mlp or act"),
		seedFlag(),
	}
}

// metricNames lists the metrics of some kinds with their units.
func metricNames(kinds ...avss.Kind) string {
	var names []string
	for _, d := range avss.Metrics(kinds...) {
		if d.Unit != "" {
			d.Name += " (" + d.Unit + ")"
		}
		names = append(names, d.Name)
	}
	return strings.Join(names, ", ")
}

// metricsAbout says of every metric in a line what it is.
func metricsAbout() string {
	var b strings.Builder
	b.WriteString("Metrics:")
	for _, d := range avss.Metrics() {
		fmt.Fprintf(&b, "\n%-8s %s", d.Name, d.About)
	}
	return b.String()
}

func dropFlags() []cli.Flag {
	return []cli.Flag{
		text("drop", "25%", "layers to drop: a share (25%), a number (8) or a list (3,7,11; or the attention or MLP of some: 3,7.attn,11.mlp)"),
		text("drop-mass", "", "instead: the lowest layers up to this share of the scores' sum, as 25%"),
		number("protect-first", 0, "layers at the input that stay"),
		number("protect-last", 0, "layers at the output that stay"),
	}
}

func taskFlags() []cli.Flag {
	return []cli.Flag{
		text("tasks", strings.Join(job.DefaultTasks, ","), "tasks: "+strings.Join(bench.Names(), ", ")+
			"; NAME=FILE reads a file for a task, and any other NAME=FILE.jsonl is a task of its own, "+
			`of lines {"context", "choices", "gold"}, {"text"}, or {"prompt", "answers"}`),
		taskDataFlag(),
		number("limit", 0, "items of a task at most; 0: all"),
		number("shots", 0, "answered examples in front of each question, drawn from NAME.shots.jsonl beside the task's file"),
		toggle("chat", "ask by the model's own chat template"),
	}
}

func taskDataFlag() cli.Flag {
	return text("task-data", "", "folder with the tasks' files, a folder a task; default: what pull --tasks brought into the cache")
}

func modeFlag() cli.Flag {
	return text("avss-mode", "robust", "formula that avss means: robust, paper or reference")
}

func seedFlag() cli.Flag {
	return number("seed", 0, "seed of all that is drawn: intervals, paired tests, samples of tasks, the random baseline")
}

func bosFlag() cli.Flag {
	return text("bos", "auto", "beginning-of-sequence token: auto (the tokenizer's own habit), yes or no")
}

func samplesFlag() cli.Flag {
	return text("samples", "", "write every item's log-likelihoods to this .jsonl")
}

func reportFlag() cli.Flag {
	return text("report", "", "write report.json, the tables and the HTML page to this folder")
}

func outFlag() cli.Flag {
	return text("out", "", "write the pruned model here")
}

func formatFlag() cli.Flag {
	return text("format", "", "of the written model: hf, gguf or mergekit; default: what the model is")
}

func forceFlag() cli.Flag {
	return toggle("force", "replace what the same flag wrote at its place before")
}

func jsonFlag() cli.Flag {
	return toggle("json", "print one JSON object instead of tables")
}

func flags(groups ...[]cli.Flag) []cli.Flag {
	var all []cli.Flag
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}

// open opens the model and device that the flags name. Mistakes in flags, and places that cannot be written to, are found before anything is
// read; out is the place of --out where that is no model.
func open(c *cli.Context, out *mapped.Place) (*job.Job, error) {
	return openModel(c, c.String("model"), out)
}

// openModel opens a model as the flags say that --model is opened.
func openModel(c *cli.Context, ref string, out *mapped.Place) (*job.Job, error) {
	if c.Args().Present() {
		return nil, usage("%s: unexpected %q; flags come first and there is nothing after them", c.Command.Name, c.Args().First())
	}
	if err := checkPlaces(c, out); err != nil {
		return nil, err
	}
	if c.Int("seed") < 0 {
		return nil, usage("--seed %d: want 0 or more", c.Int("seed"))
	}
	memory, err := byteSize(c.String("memory"))
	if err != nil {
		return nil, usage("--memory %s: %v", c.String("memory"), err)
	}
	compute := device.Compute(c.String("compute"))
	switch compute {
	case device.ComputeAuto, device.ComputeF32, device.ComputeBF16, device.ComputeInt8:
	default:
		return nil, usage("--compute %s: want auto, f32, bf16 or int8", compute)
	}
	if n := c.Int("threads"); n < 0 || n > mostThreads {
		return nil, usage("--threads %d: want 0 (all) to %d", n, mostThreads)
	}
	o := engine.Options{Device: deviceOf(c), Options: device.Options{Threads: c.Int("threads"), Compute: compute, Memory: memory}}
	if memory > 0 {
		debug.SetGCPercent(boundedGarbage)
	}
	bar := newProgress(aside(c))
	o.Busy = bar.busy
	j, err := shared(c, ref, o)
	if err != nil {
		return nil, err
	}
	j.Phase, j.Progress, j.Expecting = bar.phase, bar.step, bar.expect
	if part := j.Shared(); part == nil || !part.Merges() {
		j.Found = func(set avss.Set) { bar.found(set, part != nil) }
	}
	return j, nil
}

// boundedGarbage is by how many per cent Go's heap may grow between two collections where memory is bounded: what phases ask the engine for counts
// on a quarter.
const boundedGarbage = 20

// command is how the program was called, as a report tells it.
func command(c *cli.Context) []string {
	called := []string{"avssnative", c.Command.Name}
	for _, name := range c.LocalFlagNames() {
		if c.IsSet(name) && name != openName { // which changes nothing of what is found
			called = append(called, fmt.Sprintf("--%s=%v", name, value(c, name)))
		}
	}
	return called
}

func value(c *cli.Context, name string) any {
	if l, ok := c.Value(name).(cli.StringSlice); ok {
		return strings.Join(l.Value(), ",")
	}
	return c.Value(name)
}

// byteSize reads a size with an IEC unit: 8GiB, 512MiB, 1024. Empty is 0.
func byteSize(size string) (int64, error) {
	if size == "" {
		return 0, nil
	}
	units := []struct {
		name  string
		shift int
	}{{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}, {"", 0}}
	for _, unit := range units {
		digits, found := strings.CutSuffix(size, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if bytes := n * math.Exp2(float64(unit.shift)); err != nil || !(1 <= bytes && bytes <= math.MaxInt64/2) { // NaN is neither
			break
		}
		return int64(n * math.Exp2(float64(unit.shift))), nil
	}
	return 0, fmt.Errorf("want a size as 8GiB or 512MiB")
}

// mostThreads and mostTokens are far above what anybody has and below what overflows.
const mostThreads, mostTokens = 1 << 12, 1 << 40

func bos(c *cli.Context) (tokenizer.BOS, error) {
	switch b := tokenizer.BOS(c.String("bos")); b {
	case tokenizer.BOSAuto, tokenizer.BOSYes, tokenizer.BOSNo:
		return b, nil
	default:
		return "", usage("--bos %s: want auto, yes or no", b)
	}
}

// calibrationLength is how many tokens a calibration sequence has unless another number is asked for.
const calibrationLength = 512

// calibration reads the calibration flags.
func calibration(c *cli.Context) (calib.Options, error) {
	b, err := bos(c)
	if err != nil {
		return calib.Options{}, err
	}
	length := c.Int("seq-len")
	if length == 0 && !c.IsSet("seq-len") { // of eval, where it means the tasks
		length = calibrationLength
	}
	tokens, err := calibrationTokens(c)
	if err != nil {
		return calib.Options{}, err
	}
	if length < 2 || length > mostTokens {
		return calib.Options{}, usage("--seq-len %d: want 2 to %d", length, mostTokens)
	}
	return calib.Options{Files: c.StringSlice("calib"), Stdin: c.App.Reader, Field: c.String("calib-field"), Tokens: tokens,
		Length: length, BOS: b, Seed: uint64(c.Int("seed"))}, nil
}

// scoring reads the metric flags. metrics are those the command wants measured beside the activation metrics.
func scoring(c *cli.Context, metrics ...string) (job.Scoring, error) {
	mode, err := avss.ParseMode(c.String("avss-mode"))
	if err != nil {
		return job.Scoring{}, usageError{err}
	}
	site, err := avss.ParseSite(c.String("site"))
	if err != nil {
		return job.Scoring{}, usageError{err}
	}
	for _, metric := range metrics {
		if _, err := avss.Lookup(metric); err != nil {
			return job.Scoring{}, usageError{err}
		}
	}
	return job.Scoring{Metrics: metrics, Mode: mode, Site: site, Seed: uint64(c.Int("seed"))}, nil
}

// evaluation reads the task flags, and the tasks: what is wrong with them is found before any work. The questions that choose, nil where none do, are
// not asked.
func evaluation(c *cli.Context, choosing *bench.Set) (job.Evaluation, error) {
	b, err := bos(c)
	if err != nil {
		return job.Evaluation{}, err
	}
	if c.Int("limit") < 0 {
		return job.Evaluation{}, usage("--limit %d: want 0 (all) or more", c.Int("limit"))
	}
	if c.Int("shots") < 0 {
		return job.Evaluation{}, usage("--shots %d: want 0 or more", c.Int("shots"))
	}
	source, seed := taskSource(c), uint64(c.Int("seed"))
	names := commas(c.String("tasks"))
	if len(names) == 0 {
		names = job.DefaultTasks
	}
	sets, err := bench.Load(c.Context, names, source, bench.Limit{Items: c.Int("limit"), Seed: seed, Except: choosing})
	switch {
	case c.Context.Err() != nil && err != nil:
		return job.Evaluation{}, err
	case errors.Is(err, failure.NotFound) && source.Dir == "":
		return job.Evaluation{}, usage("--tasks %s: %w; --task-data names the folder of task files, NAME=FILE.jsonl one file%s", c.String("tasks"), err,
			fetching(c, names))
	case errors.Is(err, failure.NotFound):
		return job.Evaluation{}, usage("--tasks %s: %w%s", c.String("tasks"), err, fetching(c, names))
	case err != nil:
		return job.Evaluation{}, usage("--tasks %s: %w", c.String("tasks"), err)
	}
	return job.Evaluation{Sets: sets, BOS: b, Seed: seed, Shots: c.Int("shots"), Chat: c.Bool("chat")}, nil
}

func commas(text string) []string {
	var parts []string
	for _, part := range strings.Split(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// calibrateAndScore runs the steps that most commands begin with: the calibration text, then the scores.
func calibrateAndScore(ctx context.Context, j *job.Job, calibration calib.Options, s job.Scoring) error {
	if err := j.SearchesFit(s, *foreseen(calibration, s)); err != nil {
		return err
	}
	read := func() error { return j.Calibrate(ctx, calibration) }
	if s.Settle != nil {
		read = func() error { return j.CalibrateGrowing(ctx, calibration, s.Settle.Least) }
	}
	if err := asCalibFlags(read()); err != nil {
		return err
	}
	return j.Score(ctx, s)
}

// calibrate reads the calibration text.
func calibrate(ctx context.Context, j *job.Job, calibration calib.Options) error {
	return asCalibFlags(j.Calibrate(ctx, calibration))
}

// asCalibFlags adds to an error what flags say to it.
func asCalibFlags(err error) error {
	switch {
	case errors.Is(err, calib.ErrNoText):
		return fmt.Errorf("%w; give other files with --calib", err)
	case errors.Is(err, calib.ErrNoBOS):
		return fmt.Errorf("%w, as --bos yes asks", err)
	default:
		return err
	}
}
