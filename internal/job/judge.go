package job

import (
	"context"
	"io"
	"slices"
	"time"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/report"
	"avssnative/internal/smallworld"
	"avssnative/tokenizer"
)

// Evaluation says how models are judged.
type Evaluation struct {
	Sets    []bench.Set // the tasks with their items; nil: DefaultTasks
	BOS     tokenizer.BOS
	Length  int       // tokens at a time; 0: what the model takes
	Seed    uint64    // of the paired bootstrap
	Samples io.Writer // gets one JSON line an item; may be nil
	Speed   bool      // time the models on a fixed text
	Shots   int       // answered examples in front of each question
	Chat    bool      // questions are turns of a conversation, by the model's own template
}

// DefaultTasks are judged unless others are asked for: they are inside the program.
var DefaultTasks = []string{"small_world_qa", "small_world_sentiment", "small_world"}

// Judge judges the whole model, and beside it, in the same pass, the model without the dropped layers, and what Beside chose; nil judges the whole
// model alone.
func (j *Job) Judge(ctx context.Context, o Evaluation, drop engine.Drop) ([]bench.Result, error) {
	end, start := j.phase("judging"), time.Now()
	suite, err := j.Suite(ctx, o)
	if err != nil {
		return nil, err
	}
	p := j.pass("judging")
	p.Sequences = suite.Sequences
	p.Variants = []engine.Drop{nil}
	if err := j.note("judging", []any{o.BOS, o.Length, o.Seed, drop}); err != nil {
		return nil, err
	}
	if drop != nil {
		p.Variants, p.Diverge = append(p.Variants, drop), true
		p.Repairs = []*engine.Repair{nil, j.repair}
		j.variants(&p)
	}
	judged, outcome, err := j.judged(ctx, suite, p)
	if err != nil {
		return nil, err
	}
	whole, smaller := judged[0], judged[0]
	j.cite(whole)
	if drop != nil {
		smaller = judged[1]
		if err := j.compare(whole, smaller, o.Seed); err != nil {
			return nil, err
		}
		if err := j.shares(&p, judged, outcome, o.Seed); err != nil {
			return nil, err
		}
	} else {
		j.Report.Tasks = tasks(whole, nil)
	}
	if err := samples(o.Samples, whole, smaller, drop); err != nil {
		return nil, err
	}
	end()
	if j.Report.Sweep != nil {
		j.Report.Sweep.Seconds = time.Since(start).Seconds()
	}
	if o.Speed && j.alone() {
		return smaller, j.time(ctx, drop)
	}
	return smaller, nil
}

// JudgeOnly judges the model without the dropped layers alone, as if it were written already; nil is the whole model.
func (j *Job) JudgeOnly(ctx context.Context, o Evaluation, drop engine.Drop) ([]bench.Result, error) {
	defer j.phase("judging")()
	suite, err := j.Suite(ctx, o)
	if err != nil {
		return nil, err
	}
	p := j.pass("judging")
	p.Sequences, p.Variants, p.Repairs = suite.Sequences, []engine.Drop{drop}, []*engine.Repair{j.repair}
	if err := j.note("judging", []any{o.BOS, o.Length, o.Seed, drop, "alone"}); err != nil {
		return nil, err
	}
	judged, _, err := j.judged(ctx, suite, p)
	if err != nil {
		return nil, err
	}
	results := judged[0]
	j.Report.Tasks = tasks(results, nil)
	j.cite(results)
	if o.Samples != nil {
		err = bench.WriteSamples(o.Samples, "model", results)
	}
	return results, err
}

// cite adds the papers of the tasks to those of the metrics.
func (j *Job) cite(results []bench.Result) {
	for _, p := range bench.Bibliography(results) {
		if !slices.Contains(j.Report.References, p) {
			j.Report.References = append(j.Report.References, p)
		}
	}
}

func samples(w io.Writer, whole, smaller []bench.Result, drop engine.Drop) error {
	if w == nil {
		return nil
	}
	if err := bench.WriteSamples(w, "dense", whole); err != nil || drop == nil {
		return err
	}
	return bench.WriteSamples(w, "pruned", smaller)
}

// compare fills in what the smaller model kept.
func (j *Job) compare(whole, smaller []bench.Result, seed uint64) error {
	all, c, err := changes(whole, smaller, seed)
	if err != nil {
		return err
	}
	j.Report.Tasks = all
	j.Report.Warnings = append(j.Report.Warnings, all.Warnings()...)
	j.Report.Retention = all.Means()
	j.Report.Divergence = &report.Divergence{KL: c.KL, SameTop: c.SameTop, Tokens: c.Tokens}
	return nil
}

// changes are the tasks of the report with what the smaller model kept of each.
func changes(whole, smaller []bench.Result, seed uint64) (report.Tasks, *bench.Comparison, error) {
	c, err := bench.Compare(whole, smaller, seed)
	if err != nil {
		return nil, nil, err
	}
	all := tasks(whole, smaller)
	for i, change := range c.Tasks {
		t := &all[i]
		t.Change = &report.Change{Retention: avss.Value(change.Retention), ChanceCorrected: avss.Value(change.ChanceCorrected),
			P: avss.Value(change.Test.P), Test: change.Test.Name, KL: change.KL, SameTop: change.SameTop, Flips: avss.Value(change.Flips)}
	}
	return all, c, nil
}

func retention(c *bench.Comparison) *report.Retention {
	return &report.Retention{MeanOfRatios: avss.Value(c.MeanOfRatios), MeanOfCorrected: avss.Value(c.MeanOfCorrected), RatioOfMeans: avss.Value(c.RatioOfMeans)}
}

func figure(m bench.Metric) report.Figure {
	return report.Figure{Value: avss.Value(m.Value), Stderr: avss.Value(m.Stderr)}
}

// tasks turns results into the report's form; smaller may be nil.
func tasks(whole, smaller []bench.Result) report.Tasks {
	var all report.Tasks
	for i := range whole {
		r := &whole[i]
		t := report.Task{Name: r.Task, Version: r.Version, N: r.N, Metric: r.Primary, Convention: r.Convention, BOS: r.BOS, MaxLength: r.MaxLength,
			Chance: r.Chance, FewShot: r.FewShot, Chat: r.Chat, Dense: figure(r.Main()), Note: r.Note}
		if smaller != nil {
			f := figure(smaller[i].Main())
			t.Pruned = &f
		}
		for k, m := range r.Metrics {
			named := report.Named{Metric: m.Name, Dense: figure(m)}
			if smaller != nil {
				f := figure(smaller[i].Metrics[k])
				named.Pruned = &f
			}
			t.All = append(t.All, named)
		}
		all = append(all, t)
	}
	return all
}

const (
	// speedTokens is how much text a timing reads at most: enough that starting up does not show.
	speedTokens = 4096
	// speedTime is how long all timings of a run may take together, but for a model whose first pass takes longer.
	speedTime = 5 * time.Second
)

// speed prepares so many timings on the text inside the program.
func (j *Job) speed(timings int) (*bench.Speed, error) {
	t, err := j.Tokenizer()
	if err != nil {
		return nil, err
	}
	sequences, err := bench.SpeedText(t, string(smallworld.Stories()), speedTokens, j.length(256))
	if err != nil {
		return nil, err
	}
	return &bench.Speed{Sequences: sequences, Memory: j.Memory, Budget: speedTime / time.Duration(timings)}, nil
}

// timings is how often each model is timed; the fastest counts.
const timings = 3

// time measures how many tokens a second the dense and the pruned model, and what is judged beside it, read and make, each by itself.
func (j *Job) time(ctx context.Context, drop engine.Drop) error {
	variants := []engine.Drop{nil}
	if drop != nil {
		variants = append(variants, drop)
	}
	for _, b := range j.beside {
		variants = append(variants, b.drop)
	}
	read, made, err := j.paces(ctx, true, variants...)
	if err != nil {
		return err
	}
	to := j.Report.Speed
	to.TokensPerSecondDense, to.GeneratedPerSecondDense = read[0], made[0]
	to.CacheTokens = j.length(0)
	to.CacheBytesDense = j.cacheBytes(nil)
	if drop == nil {
		return nil
	}
	to.TokensPerSecondPruned, to.GeneratedPerSecondPruned = read[1], made[1]
	to.CacheBytesPruned = j.cacheBytes(drop)
	for i, b := range j.beside {
		p := &j.Report.Sweep.Points[i]
		p.TokensPerSecond, p.Generated, p.CacheBytes = read[2+i], made[2+i], j.cacheBytes(b.drop)
		j.Report.Sweep.CacheTokens = to.CacheTokens
	}
	return nil
}

// paces are the tokens a second that variants read, where that is wanted, and make.
func (j *Job) paces(ctx context.Context, reading bool, variants ...engine.Drop) (read, made []float64, err error) {
	defer j.phase("timing")()
	s, err := j.speed(2 * timings * len(variants))
	if err != nil {
		return nil, nil, err
	}
	// In turn, so that what else the machine does meets all of them.
	s.Repeats = 1
	read, made = make([]float64, len(variants)), make([]float64, len(variants))
	for range timings {
		for i, v := range variants {
			if reading {
				speed, err := s.Measure(ctx, j.Model, v)
				if err != nil {
					return nil, nil, err
				}
				read[i] = max(read[i], speed)
			}
			speed, err := s.Generate(ctx, j.Model, v)
			if err != nil {
				return nil, nil, err
			}
			made[i] = max(made[i], speed)
		}
	}
	return read, made, nil
}

// cacheBytes is what a text that fills the context keeps for its continuation here, in float32.
func (j *Job) cacheBytes(drop engine.Drop) int64 { return j.Model.CacheBytes(drop, j.length(0), 4) }

// size fills in what the models weigh.
func (j *Job) size(drop engine.Drop) {
	s := &report.Size{}
	s.ParametersDense, s.BytesDense = j.Model.Size(nil)
	s.ParametersPruned, s.BytesPruned = j.Model.Size(drop)
	j.Report.Size = s
}
