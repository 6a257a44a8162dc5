package job

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"avssnative/avss"
	"avssnative/bench"
	"avssnative/engine"
	"avssnative/internal/report"
	"avssnative/prune"
)

// Sweeping says which choices are judged.
type Sweeping struct {
	Evaluation
	Metrics    []string  // names or keys of scores, judged beside first, last and random
	Shares     []float64 // of the layers, each in (0, 1)
	Protect    prune.Protect
	Mode       avss.Mode
	Site       avss.Site
	Random     int                // seeds of the random baseline; 0: one
	Generating                    // what every set says
	Repair     prune.RepairMethod // every plan is also judged repaired; "" or none: plain cuts alone
	Alone      bool               // also judge every plan by itself, to show what sharing saves
}

// Sweep judges what the metrics would drop at every share, all in as few passes as the memory allows.
func (j *Job) Sweep(ctx context.Context, o Sweeping) error {
	suite, err := j.Suite(ctx, o.Evaluation)
	if err != nil {
		return err
	}
	s := &bench.Sweep{Layers: j.Model.Layers(), Metrics: map[string]bench.Chooser{}, Scores: map[string][]float64{}, Suite: suite,
		Size: j.Model.Size, Pass: j.pass("judging"), BootstrapSeed: o.Seed}
	if s.Counts, err = Counts(s.Layers, o.Shares, o.Protect); err != nil {
		return err
	}
	if j.Unit == prune.Sublayer {
		s.Halves = true
		s.Baseline = func(name string, seed uint64) bench.Chooser {
			scores, err := avss.BaselineScores(name, j.Units(), seed)
			return func(count int) (engine.Drop, error) {
				if err != nil {
					return nil, err
				}
				return j.choice(scores, count, prune.Protect{})
			}
		}
	}
	for seed := range max(1, o.Random) {
		s.Seeds = append(s.Seeds, o.Seed+uint64(seed))
	}
	for _, metric := range o.Metrics {
		scores, err := j.ranking(metric, Choice{Mode: o.Mode, Site: o.Site, Seed: o.Seed})
		if err != nil {
			return err
		}
		s.Metrics[scores.Key()] = func(count int) (engine.Drop, error) {
			return j.choice(scores, count, o.Protect)
		}
		s.Scores[scores.Key()] = scores.Importance()
	}
	if o.Speed && j.alone() {
		if s.Speed, err = j.speed(2 * (1 + len(s.Counts))); err != nil {
			return err
		}
	}
	s.Say = func(ctx context.Context, drop engine.Drop, repair *engine.Repair) ([]string, error) {
		return j.answers(ctx, suite, drop, repair)
	}
	if o.Repair != "" && o.Repair != prune.RepairNone {
		s.Repair = func(ctx context.Context, drop engine.Drop) (*engine.Repair, string, error) {
			r, err := j.solve(ctx, drop, o.Repair)
			if err != nil {
				return nil, "", err
			}
			return r.Repair, string(r.Method), nil
		}
	}
	if err := j.note("sweep", []any{o.questions(), o.Repair, o.BOS, o.Length, o.Seed, o.Metrics, o.Shares, o.Protect, o.Mode, o.Site, o.Random, o.Alone, o.Alternatives,
		j.Unit}); err != nil {
		return err
	}
	s.Alternatives = j.alternatives(o.Alternatives, nil)
	end, start := j.phase("judging all plans"), time.Now()
	table, err := s.Run(ctx, j.passes())
	if err != nil {
		return err
	}
	end()
	took := time.Since(start).Seconds()
	j.cite(table.Sets[0].Results)
	j.Report.Sweep = sweep(table, j.Unit)
	j.regret(j.Report.Sweep)
	for i, a := range s.Alternatives {
		j.Report.Alternatives = append(j.Report.Alternatives, alternative(a, table.Alternatives[i].Comparison))
	}
	if err := j.speak(ctx, o.Generating, table); err != nil {
		return err
	}
	j.Report.Warn()
	if o.Speed {
		j.Report.Sweep.CacheTokens = j.length(0)
		dense, to := &table.Sets[0], j.Report.Speed
		to.TokensPerSecondDense, to.GeneratedPerSecondDense = dense.TokensPerSecond, dense.Generated
		to.CacheTokens, to.CacheBytesDense = j.length(0), j.cacheBytes(nil)
		for i := range j.Report.Sweep.Points {
			p := &j.Report.Sweep.Points[i]
			p.CacheBytes = j.cacheBytes(table.Sets[table.Points[i].Set].Drop)
		}
		j.Report.Sweep.Dense.CacheBytes = to.CacheBytesDense
	}
	j.Report.Sweep.Seconds = took
	if o.Alone {
		return j.oneByOne(ctx, table, suite)
	}
	return nil
}

// choice is what a ranking drops where count layers go, or halves of as many bytes.
func (j *Job) choice(scores avss.Scores, count int, protect prune.Protect) (engine.Drop, error) {
	plan, err := j.plan(scores, prune.Count(count), protect)
	if err != nil {
		return nil, err
	}
	return plan.Drop(), nil
}

// Counts are how many of so many layers go at each share, ascending, each once. A share that leaves nothing is an error.
func Counts(layers int, shares []float64, protect prune.Protect) ([]int, error) {
	var counts []int
	for _, share := range shares {
		count := max(1, int(math.Floor(share*float64(layers)+0.5)))
		if err := prune.Count(count).Check(layers, protect); err != nil {
			return nil, fmt.Errorf("a share of %g %%: %w", 100*share, err)
		}
		if !slices.Contains(counts, count) {
			counts = append(counts, count)
		}
	}
	slices.Sort(counts)
	return counts, nil
}

// oneByOne judges every distinct plan by itself beside the dense model and notes the time that takes.
func (j *Job) oneByOne(ctx context.Context, t *bench.Table, suite *bench.Suite) error {
	defer j.phase("judging plans one by one")()
	start := time.Now()
	for i, set := range t.Sets {
		p := j.pass("one by one")
		p.Sequences, p.Variants, p.Diverge = suite.Sequences, []engine.Drop{nil, set.Drop}, true
		p.Repairs = []*engine.Repair{nil, set.Repair}
		judged, _, err := j.judged(ctx, suite, p)
		if err != nil {
			return err
		}
		results := judged[1]
		for k := range results {
			if got, want := results[k].Main().Value, set.Results[k].Main().Value; got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				return fmt.Errorf("bench: plan %s, %s: %v by itself, %v in the sweep: sharing changed a result", t.Sets[i].Drop, results[k].Task, got, want)
			}
		}
	}
	j.Report.Sweep.SecondsAlone = time.Since(start).Seconds()
	return nil
}

// sweep turns a table into the report's form.
func sweep(t *bench.Table, unit string) *report.Sweep {
	s := &report.Sweep{Layers: t.Layers, Unit: unit, Passes: t.Passes, PassesAlone: t.PassesAlone, Blocks: t.Blocks, BlocksAlone: t.BlocksAlone}
	dense := point(bench.Point{Metric: "dense"}, &t.Sets[0], unit)
	s.Dense = &dense
	for _, p := range t.Points {
		s.Points = append(s.Points, point(p, &t.Sets[p.Set], unit))
	}
	if t.Agreement != nil {
		s.Metrics = t.Agreement.Metrics
		for _, row := range t.Agreement.Tau {
			s.Tau = append(s.Tau, avss.Values(row))
		}
	}
	return s
}

// point turns one point of a table into the report's form.
func point(p bench.Point, set *bench.Variant, unit string) report.SweepPoint {
	c, dropped := set.Comparison, set.Drop.Layers()
	if unit == prune.Sublayer {
		dropped = set.Drop.Numbers()
	}
	to := report.SweepPoint{Metric: p.Metric, Repair: p.Repair, Count: p.Count, Share: p.Share, Dropped: append([]int{}, dropped...),
		Tasks:     []report.TaskPoint{}, // as dropped, a list even where it is empty
		Retention: *retention(c), Divergence: *divergence(c),
		Flips: avss.Value(c.Flips), Parameters: set.Parameters, Bytes: set.Bytes, TokensPerSecond: set.TokensPerSecond, Generated: set.Generated}
	for i := range set.Results {
		r, change := &set.Results[i], &c.Tasks[i]
		f := figure(r.Main())
		t := report.TaskPoint{Name: r.Task, Metric: r.Primary, Convention: r.Convention, Value: f.Value, Stderr: f.Stderr, N: r.N, Chance: r.Chance,
			Retention: avss.Value(change.Retention), Corrected: avss.Value(change.ChanceCorrected), Span: span(change.RetentionInterval)}
		if answers := answered(r, nil); answers != nil {
			t.Constant = answers.ConstantDense
		}
		to.Tasks = append(to.Tasks, t)
	}
	return to
}
