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
	Metrics []string  // names or keys of scores, judged beside first, last and random
	Shares  []float64 // of the layers, each in (0, 1)
	Protect prune.Protect
	Mode    avss.Mode
	Site    avss.Site
	Random  int  // seeds of the random baseline; 0: one
	Alone   bool // also judge every plan by itself, to show what sharing saves
}

// Sweep judges what the metrics would drop at every share, all in as few passes as the memory allows.
func (j *Job) Sweep(ctx context.Context, o Sweeping) error {
	suite, err := j.Suite(ctx, o.Evaluation)
	if err != nil {
		return err
	}
	s := &bench.Sweep{Layers: j.Model.Layers(), Metrics: map[string]bench.Chooser{}, Scores: map[string][]float64{}, Suite: suite,
		Size: j.Model.Size, Pass: j.pass("judging"), BootstrapSeed: o.Seed}
	for _, share := range o.Shares {
		count := max(1, int(math.Floor(share*float64(s.Layers)+0.5)))
		if count >= s.Layers {
			return fmt.Errorf("bench: a share of %g of %d layers leaves none", share, s.Layers)
		}
		if !slices.Contains(s.Counts, count) {
			s.Counts = append(s.Counts, count)
		}
	}
	slices.Sort(s.Counts)
	for seed := range max(1, o.Random) {
		s.Seeds = append(s.Seeds, o.Seed+uint64(seed))
	}
	for _, metric := range o.Metrics {
		scores, err := j.ranking(metric, Choice{Mode: o.Mode, Site: o.Site, Seed: o.Seed})
		if err != nil {
			return err
		}
		s.Metrics[scores.Key()] = func(count int) (engine.Drop, error) {
			plan, err := prune.Choose(scores, prune.Count(count), o.Protect)
			if err != nil {
				return nil, err
			}
			return plan.Drop(), nil
		}
		s.Scores[scores.Key()] = scores.Importance()
	}
	if o.Speed && j.alone() {
		if s.Speed, err = j.speed(); err != nil {
			return err
		}
	}
	if err := j.note("sweep", []any{o.BOS, o.Length, o.Seed, o.Metrics, o.Shares, o.Protect, o.Mode, o.Site, o.Random, o.Alone}); err != nil {
		return err
	}
	end, start := j.phase("judging all plans"), time.Now()
	table, err := s.Run(ctx, j.passes())
	if err != nil {
		return err
	}
	end()
	j.cite(table.Sets[0].Results)
	j.Report.Sweep = sweep(table)
	j.Report.Sweep.Seconds = time.Since(start).Seconds()
	if o.Alone {
		return j.oneByOne(ctx, table, suite)
	}
	return nil
}

// oneByOne judges every distinct plan by itself beside the whole model and notes the time that takes.
func (j *Job) oneByOne(ctx context.Context, t *bench.Table, suite *bench.Suite) error {
	defer j.phase("judging plans one by one")()
	start := time.Now()
	for i, set := range t.Sets {
		p := j.pass("one by one")
		p.Sequences, p.Variants, p.Diverge = suite.Sequences, []engine.Drop{nil, set.Drop}, true
		outcome, err := j.passes().Run(ctx, p)
		if err != nil {
			return err
		}
		results, err := suite.Score(outcome.Scores[1])
		if err != nil {
			return err
		}
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
func sweep(t *bench.Table) *report.Sweep {
	s := &report.Sweep{Layers: t.Layers, Passes: t.Passes, PassesAlone: t.PassesAlone, Blocks: t.Blocks, BlocksAlone: t.BlocksAlone}
	for _, p := range t.Points {
		set := &t.Sets[p.Set]
		point := report.SweepPoint{Metric: p.Metric, Count: p.Count, Share: p.Share, Dropped: set.Drop.Layers(), Retention: *retention(set.Comparison),
			Divergence: report.Divergence{KL: set.Comparison.KL, SameTop: set.Comparison.SameTop, Tokens: set.Comparison.Tokens},
			Parameters: set.Parameters, Bytes: set.Bytes, TokensPerSecond: set.TokensPerSecond}
		for i := range set.Results {
			r := &set.Results[i]
			f := figure(r.Main())
			point.Tasks = append(point.Tasks, report.TaskPoint{Name: r.Task, Metric: r.Primary, Convention: r.Convention, Value: f.Value, Stderr: f.Stderr,
				Retention: avss.Value(set.Comparison.Tasks[i].Retention)})
		}
		s.Points = append(s.Points, point)
	}
	if t.Agreement != nil {
		s.Metrics = t.Agreement.Metrics
		for _, row := range t.Agreement.Tau {
			s.Tau = append(s.Tau, avss.Values(row))
		}
	}
	return s
}
