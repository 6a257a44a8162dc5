package job

import (
	"context"
	"fmt"
	"math"
	"slices"

	"avssnative/avss"
	"avssnative/calib"
	"avssnative/failure"
	"avssnative/internal/report"

	"gonum.org/v1/gonum/stat/distuv"
)

// Calibration until the set is settled: text is taken in blocks, each as long as all before, and after each a bootstrap over sequences says how
// likely other text of that length would have named another set of layers. What the metric keeps is exact, so the blocks add up to the bits of one
// pass over all of them. (Efron and Tibshirani 1993, chapter 6; sequences 32 apart are drawn together.)

// Settling says when text is enough.
type Settling struct {
	Level  float64 // probability of another set below which the set is settled
	Least  int     // tokens to begin with
	Choice Choice  // whose set
}

// settledSequences are fewer than a bootstrap can say anything of.
const settledSequences = 8

// CalibrateGrowing reads the first so many tokens of a text that scoring takes more of until the set is settled, up to the options' tokens.
func (j *Job) CalibrateGrowing(ctx context.Context, o calib.Options, least int) error {
	t, err := j.Tokenizer()
	if err != nil {
		return err
	}
	if j.shared != nil && !j.alone() {
		return failure.Unsupported.Errorf("job: text is taken until the set is settled by one process alone: each block follows from all before")
	}
	o = j.sourced(o)
	defer j.phase("calibration text")()
	if j.growing, err = calib.Begin(ctx, j.Model, t, o); err != nil {
		return err
	}
	text, more, err := j.growing.To(ctx, least)
	if err != nil {
		return err
	}
	if !more {
		j.growing = nil
	}
	if err := j.note("calibration text", []any{"until the set is settled", least, o.Tokens, o.Length, o.Seed}); err != nil {
		return err
	}
	j.replace(text)
	j.complain(text)
	return nil
}

// grow takes more text. Whether several are compared stays as it was.
func (j *Job) grow(ctx context.Context, tokens int) error {
	text, more, err := j.growing.To(ctx, tokens)
	if err != nil {
		return err
	}
	if !more {
		j.growing = nil
	}
	compared, why := j.texts != nil, j.incomparable
	if j.replace(text); !compared {
		j.texts, j.incomparable = nil, why
	}
	return nil
}

// settle takes and scores text until the set is settled or there is no more.
func (j *Job) settle(ctx context.Context, watched []*watchedMetric, o avss.Options, s *Settling, d *draws) error {
	at := slices.IndexFunc(watched, func(w *watchedMetric) bool { return w.all.Name() == s.Choice.Metric })
	if at < 0 {
		return failure.Unsupported.Errorf("job: %s does not watch a pass: whether its set is settled is not known", s.Choice.Metric)
	}
	found := &report.Settled{Level: s.Level, Metric: s.Choice.Metric}
	for {
		block, err := j.likely(watched[at].all, s.Choice, d)
		if err != nil {
			return err
		}
		found.Blocks = append(found.Blocks, block)
		if found.Settled = float64(block.High) < s.Level && block.Sequences >= settledSequences; found.Settled || j.growing == nil {
			break
		}
		first := len(j.calibration)
		if err := j.grow(ctx, 2*int(block.Tokens)); err != nil {
			return err
		}
		if len(j.calibration) == first {
			break
		}
		if err := j.watch(ctx, watched, o, first); err != nil {
			return err
		}
	}
	j.growing = nil
	j.Report.Settled = found
	j.warnFew(j.taken)
	if last := found.Blocks[len(found.Blocks)-1]; !found.Settled {
		j.Report.Warnings = append(j.Report.Warnings, fmt.Sprintf("calibration: after %d tokens, all that may be taken, "+
			"the set is not settled: other text of that length would name another "+
			"one with a probability of %s", last.Tokens, last.Chance()))
	}
	return nil
}

// likely says how likely another set would be chosen than the one that all text so far names.
func (j *Job) likely(m avss.Metric, c Choice, d *draws) (report.SettledBlock, error) {
	d.begin()
	scores, err := m.Scores()
	if err != nil {
		return report.SettledBlock{}, err
	}
	plan, err := j.plan(scores, c.Rule, c.Protect)
	if err != nil {
		return report.SettledBlock{}, err
	}
	b := report.SettledBlock{Tokens: j.Report.Calibration.Tokens, Sequences: j.Report.Calibration.Sequences, Dropped: plan.Dropped,
		Probability: avss.Value(math.NaN()), Low: 0, High: 1}
	drawn := d.of(scores.Key())
	if len(drawn) == 0 {
		return b, nil
	}
	others := 0
	for _, values := range drawn {
		again := scores
		again.Values = values
		other, err := j.plan(again, c.Rule, c.Protect)
		if err != nil || !slices.Equal(other.Dropped, plan.Dropped) { // scores by which nothing can be chosen name no such set
			others++
		}
	}
	n := float64(len(drawn))
	b.Probability = avss.Value(float64(others) / n)
	b.Low, b.High = exactInterval(float64(others), n)
	return b, nil
}

// exactInterval is that of Clopper and Pearson (1934) for k of n, with 95 % confidence: how far so many draws may be off.
func exactInterval(k, n float64) (low, high avss.Value) {
	high = 1
	if k > 0 {
		low = avss.Value(distuv.Beta{Alpha: k, Beta: n - k + 1}.Quantile(0.025))
	}
	if k < n {
		high = avss.Value(distuv.Beta{Alpha: k + 1, Beta: n - k}.Quantile(0.975))
	}
	return low, high
}

// draws keeps the scores of the resamples of one look.
type draws struct {
	byKey map[string][][]float64
	done  bool // nothing more is kept
}

func (d *draws) begin() { d.byKey = map[string][][]float64{} }

func (d *draws) see(key string, scores []float64) {
	if d.byKey != nil && !d.done {
		d.byKey[key] = append(d.byKey[key], slices.Clone(scores))
	}
}

func (d *draws) of(key string) [][]float64 { return d.byKey[key] }

// SettledBy refuses choices of which nobody can say how settled they are.
func SettledBy(c Choice) error {
	d, err := avss.Lookup(c.Metric)
	switch {
	case err != nil:
		return err
	case c.Rule.Listed():
		return failure.Unsupported.Errorf("%s names the layers, which are settled", c.Rule)
	case d.Kind() != avss.Activation:
		return failure.Unsupported.Errorf("%s takes passes of its own over all of the text; want one of the metrics that watch one pass", d.Name)
	case d.Name == "angular":
		return failure.Unsupported.Errorf("%s chooses a run of layers, not the lowest scores", d.Name)
	}
	return nil
}
