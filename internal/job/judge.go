package job

import (
	"context"
	"fmt"
	"io"
	"math"
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
	// Alternatives says which types the dense model is judged in as well: what saves bytes without leaving layers out.
	Alternatives Alternatives
	Chat         bool // questions are turns of a conversation, by the model's own template
}

// questions tells in short what is asked: how much of which tasks, and in what form.
func (o Evaluation) questions() []any {
	asked := []any{o.Shots, o.Chat}
	for _, s := range o.Sets {
		asked = append(asked, s.Task.Name, len(s.Items))
	}
	return asked
}

// DefaultTasks are judged unless others are asked for: they are inside the program.
var DefaultTasks = []string{"small_world_qa", "small_world_sentiment", "small_world"}

// Judge judges the whole model, and beside it, in the same pass, the model without the dropped layers, and what Beside chose; nil judges the whole
// model alone.
func (j *Job) Judge(ctx context.Context, o Evaluation, drop engine.Drop) ([]bench.Result, error) {
	coarser := j.alternatives(o.Alternatives, drop)
	end, start := j.phase("judging"), time.Now()
	suite, err := j.Suite(ctx, o)
	if err != nil {
		return nil, err
	}
	p := j.pass("judging")
	p.Sequences = suite.Sequences
	p.Variants = []engine.Drop{nil}
	if err := j.note("judging", []any{o.questions(), o.BOS, o.Length, o.Seed, drop, o.Alternatives}); err != nil {
		return nil, err
	}
	if drop != nil {
		p.Variants, p.Diverge = append(p.Variants, drop), true
		p.Repairs = []*engine.Repair{nil, j.repair}
		j.variants(&p)
	}
	plans := len(p.Variants)
	p = j.beside(p, coarser)
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
		p.Variants = p.Variants[:plans]
		if err := j.shares(&p, judged, outcome, o.Seed); err != nil {
			return nil, err
		}
	} else {
		j.Report.Tasks = tasks(whole, nil)
	}
	for i, a := range coarser {
		_, c, err := suite.Alternative(whole, outcome.Scores[plans+i], o.Seed)
		if err != nil {
			return nil, err
		}
		j.Report.Alternatives = append(j.Report.Alternatives, alternative(a, c))
	}
	j.Report.Warn()
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
	if err := j.note("judging", []any{o.questions(), o.BOS, o.Length, o.Seed, drop, "alone"}); err != nil {
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
	c, err := bench.Compare(whole, smaller, seed)
	if err != nil {
		return err
	}
	j.Report.Tasks = tasks(whole, smaller)
	for i, change := range c.Tasks {
		t := &j.Report.Tasks[i]
		t.Change = &report.Change{Retention: avss.Value(change.Retention), ChanceCorrected: avss.Value(change.ChanceCorrected),
			RetentionSpan: span(change.RetentionInterval), CorrectedSpan: span(change.CorrectedInterval),
			P: avss.Value(change.Test.P), Test: change.Test.Name, KL: change.KL, SameTop: change.SameTop, Flips: avss.Value(change.Flips)}
	}
	j.Report.Warnings = append(j.Report.Warnings, j.Report.Tasks.Warnings()...)
	j.Report.Retention = retention(c)
	j.Report.Divergence = divergence(c)
	return nil
}

func retention(c *bench.Comparison) *report.Retention {
	return &report.Retention{MeanOfRatios: avss.Value(c.MeanOfRatios), MeanOfCorrected: avss.Value(c.MeanOfCorrected),
		RatioOfMeans: avss.Value(c.RatioOfMeans),
		RatiosSpan:   span(c.RatiosInterval), CorrectedSpan: span(c.CorrectedInterval)}
}

func divergence(c *bench.Comparison) *report.Divergence {
	d := &report.Divergence{KL: c.KL, SameTop: c.SameTop, Tokens: c.Tokens}
	if !math.IsNaN(c.KLStderr) {
		d.Stderr = c.KLStderr
	}
	return d
}

// span is an interval in the report's form; none where there are no numbers.
func span(i bench.Interval) *report.Span {
	if math.IsNaN(i.Low) || math.IsNaN(i.High) {
		return nil
	}
	return &report.Span{Low: avss.Value(i.Low), High: avss.Value(i.High)}
}

// answered is what was answered to questions with choices; pruned may be nil.
func answered(dense, pruned *bench.Result) *report.Answers {
	a, has := dense.Answers()
	if !has {
		return nil
	}
	to := &report.Answers{Choices: a.Choices, Right: a.Right, Dense: a.Shares}
	if choice, constant := a.Constant(dense.N); constant {
		to.ConstantDense = to.Name(choice)
	}
	if pruned != nil {
		b, _ := pruned.Answers()
		to.Pruned = b.Shares
		if choice, constant := b.Constant(pruned.N); constant {
			to.ConstantPruned = to.Name(choice)
		}
	}
	return to
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
		var pruned *bench.Result
		if smaller != nil {
			pruned = &smaller[i]
			f := figure(pruned.Main())
			t.Pruned = &f
		}
		t.Answers = answered(r, pruned)
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
	// speedTime is how long all timings of a run may take together; what is not measured then stays unknown.
	speedTime = 5 * time.Second
	// speedLength is how long a sequence is that is timed, leastSpeedLength where a model is slow.
	speedLength, leastSpeedLength = 256, 16
)

// speed prepares so many timings on the text inside the program. Of a slow model a pass reads less of it.
func (j *Job) speed(timings int) (*bench.Speed, error) {
	t, err := j.Tokenizer()
	if err != nil {
		return nil, err
	}
	length := j.length(speedLength)
	budget := speedTime / time.Duration(timings)
	if pass := j.layerTime * float64(j.Model.Layers()); pass > 0 {
		length = max(min(leastSpeedLength, length), min(length, int(budget.Seconds()/2/pass)))
	}
	sequences, err := bench.SpeedText(t, string(smallworld.Stories()), speedTokens, length)
	if err != nil {
		return nil, err
	}
	return &bench.Speed{Sequences: sequences, Budget: budget, Whole: speedTime}, nil
}

// timings is how often each model is timed; the fastest counts.
const timings = 3

// time measures how many tokens a second the dense and the pruned model, and what is judged beside it, read and make, each by itself.
func (j *Job) time(ctx context.Context, drop engine.Drop) error {
	defer j.phase("timing")()
	variants, models := []engine.Drop{nil}, []*engine.Model{j.Model}
	if drop != nil {
		variants, models = append(variants, drop), append(models, j.mapped(j.repair))
	}
	for _, f := range j.further {
		variants, models = append(variants, f.drop), append(models, j.mapped(f.repair))
	}
	s, err := j.speed(2 * timings * len(variants))
	if err != nil {
		return err
	}
	read, made := make([]float64, max(2, len(variants))), make([]float64, max(2, len(variants)))
	whole, err := bench.Within(ctx, speedTime, func(ctx context.Context) error { return j.timeInTurn(ctx, s, models, variants, read, made) })
	if err != nil {
		return err
	}
	if !whole && (slices.Contains(read[:len(variants)], 0) || slices.Contains(made[:len(variants)], 0)) {
		j.Report.Warnings = append(j.Report.Warnings, fmt.Sprintf("timing: %v, or the memory, are not enough for this model: what is not shown was not measured",
			speedTime))
	}
	to := j.Report.Speed
	to.TokensPerSecondDense, to.TokensPerSecondPruned = read[0], read[1]
	to.GeneratedPerSecondDense, to.GeneratedPerSecondPruned = made[0], made[1]
	to.CacheTokens = j.length(0)
	to.CacheBytesDense = j.cacheBytes(nil)
	if drop != nil {
		to.CacheBytesPruned = j.cacheBytes(drop)
	}
	for i, f := range j.further {
		p := &j.Report.Sweep.Points[i]
		p.TokensPerSecond, p.Generated, p.CacheBytes = read[2+i], made[2+i], j.cacheBytes(f.drop)
	}
	if s := j.Report.Sweep; s != nil {
		s.CacheTokens = to.CacheTokens
		s.Dense.TokensPerSecond, s.Dense.Generated, s.Dense.CacheBytes = read[0], made[0], to.CacheBytesDense
	}
	return nil
}

// mapped is the model with the linear maps that a repair has in the place of attentions. Other repairs cost no time, and the model is itself.
func (j *Job) mapped(repair *engine.Repair) *engine.Model {
	if len(repair.Linears()) == 0 {
		return j.Model
	}
	return j.Model.Repaired(repair)
}

// timeInTurn times models one after the other, so that what else the machine does meets all, and keeps the best.
func (j *Job) timeInTurn(ctx context.Context, s *bench.Speed, models []*engine.Model, variants []engine.Drop, read, made []float64) error {
	s.Repeats = 1
	for turn := range timings {
		for i, v := range variants {
			if j.Progress != nil {
				layers := j.Model.Layers()
				j.Progress("timing", engine.Step{Layer: layers - 1, Layers: layers, Done: float64(turn*len(variants) + i),
					Total: float64(timings * len(variants))})
			}
			speed, err := s.Measure(ctx, models[i], v)
			if err != nil {
				return err
			}
			read[i] = max(read[i], speed)
			if speed, err = s.Generate(ctx, models[i], v); err != nil {
				return err
			}
			made[i] = max(made[i], speed)
		}
	}
	return nil
}

// cacheBytes is what a text that fills the context keeps for its continuation here, in float32.
func (j *Job) cacheBytes(drop engine.Drop) int64 { return j.Model.CacheBytes(drop, j.length(0), 4) }

// size fills in what the models weigh.
func (j *Job) size(drop engine.Drop) {
	s := &report.Size{}
	s.ParametersDense, s.BytesDense = j.Model.Size(nil)
	s.ParametersPruned, s.BytesPruned = j.sizeOf(drop, j.repair)
	j.Report.Size = s
}

// sizeOf is what the model without some units weighs, with the linear maps that a repair has in the place of some.
func (j *Job) sizeOf(drop engine.Drop, repair *engine.Repair) (parameters, bytes int64) {
	parameters, bytes = j.Model.Size(drop)
	p, b := repair.Adds()
	return parameters + p, bytes + b
}
