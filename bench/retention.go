package bench

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
)

// A Change is what happened to one task between the dense model and a pruned one.
type Change struct {
	Task       string
	Version    string
	N          int
	Metric     string
	Convention string
	Chance     float64 // share of right answers by guessing; 0 for perplexities and clozes
	Dense      Metric
	Pruned     Metric
	// Retention is pruned/dense for what is better when higher, dense/pruned for perplexities; NaN where dense is 0.
	Retention float64
	// ChanceCorrected is (pruned − chance)/(dense − chance); for what cannot be guessed the same as Retention. NaN where the dense model is
	// no better than guessing, because there is nothing to keep.
	ChanceCorrected float64
	// RetentionInterval and CorrectedInterval hold the two with 95 % confidence: a bootstrap over items, both models' answers together. Both ends
	// are the figure itself where there is one item.
	RetentionInterval, CorrectedInterval Interval
	// AboveChance is the dense model against guessing; the zero value for what cannot be guessed.
	AboveChance Chance
	// Counts says whether the task says something of what was kept: its retention is defined, and the dense model does better than guessing.
	Counts  bool
	Test    Test
	KL      float64 // mean a scored token, nats
	SameTop float64
	Flips   float64 // share of items answered differently; NaN for texts
}

// A Comparison holds a pruned model against the dense one.
type Comparison struct {
	Tasks []Change
	// MeanOfRatios is the mean of the retentions of the tasks that count, MeanOfCorrected that of the chance-corrected ones; perplexities stand apart
	// where there are accuracies. NaN where no task counts. The intervals are of a bootstrap over the tasks' items.
	MeanOfRatios, MeanOfCorrected     float64
	RatiosInterval, CorrectedInterval Interval
	// RatioOfMeans is the mean accuracy now over the mean accuracy before, of the tasks that count.
	RatioOfMeans float64
	// Flips is the mean of the tasks' shares of items answered differently, those at chance too; NaN where there are texts alone.
	Flips float64
	// KL is the mean divergence from the dense model over all scored tokens, nats; SameTop the share of them whose most likely token is
	// the dense model's. KLStderr takes items as drawn independently.
	KL, SameTop, KLStderr float64
	Tokens                int
}

// Compare judges a pruned model's results against the dense one's: the same tasks, the same items, in the same order. seed is the paired
// bootstrap's.
func Compare(dense, pruned []Result, seed uint64) (*Comparison, error) {
	if len(dense) != len(pruned) {
		return nil, fmt.Errorf("bench: %d results before and %d after", len(dense), len(pruned))
	}
	j := &Comparison{}
	accuracies := slices.ContainsFunc(dense, func(r Result) bool { return r.Main().HigherIsBetter })
	var ratios, corrected, before, after, flips, sums, tokens []float64
	var ratioDraws, correctedDraws [][]float64
	for i := range dense {
		c, d, err := change(&dense[i], &pruned[i], seed)
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %w", dense[i].Task, err)
		}
		j.Tasks = append(j.Tasks, c)
		if c.Counts && c.Dense.HigherIsBetter == accuracies {
			ratios, corrected = append(ratios, c.Retention), append(corrected, c.ChanceCorrected)
			ratioDraws, correctedDraws = append(ratioDraws, d.retention), append(correctedDraws, d.corrected)
			if accuracies {
				before, after = append(before, c.Dense.Value), append(after, c.Pruned.Value)
			}
		}
		if !math.IsNaN(c.Flips) {
			flips = append(flips, c.Flips)
		}
		for k := range pruned[i].Items {
			sums, tokens = append(sums, pruned[i].Items[k].KL), append(tokens, float64(pruned[i].Items[k].Tokens))
		}
		j.Tokens += pruned[i].Tokens
		j.SameTop += pruned[i].SameTop * float64(pruned[i].Tokens)
	}
	if j.KL, j.KLStderr = perToken(sums, tokens); j.Tokens > 0 {
		j.SameTop /= float64(j.Tokens)
	}
	j.MeanOfRatios, j.MeanOfCorrected = stat.Mean(ratios, nil), stat.Mean(corrected, nil)
	j.RatiosInterval, j.CorrectedInterval = meanInterval(ratioDraws), meanInterval(correctedDraws)
	j.RatioOfMeans = ratio(stat.Mean(after, nil), stat.Mean(before, nil))
	j.Flips = stat.Mean(flips, nil)
	return j, nil
}

func change(dense, pruned *Result, seed uint64) (Change, drawn, error) {
	c := Change{Task: dense.Task, Version: dense.Version, N: dense.N, Metric: dense.Primary, Convention: dense.Convention, Chance: dense.Chance,
		Dense: dense.Main(), Pruned: pruned.Main(), KL: pruned.KL, SameTop: pruned.SameTop}
	if err := sameQuestions(dense, pruned); err != nil {
		return c, drawn{}, err
	}
	c.Flips = flips(dense, pruned)
	var d drawn
	if c.Dense.HigherIsBetter {
		d = c.accuracy(dense, pruned, seed)
	} else {
		d = c.perplexity(dense, pruned, seed)
	}
	c.RetentionInterval, c.CorrectedInterval = interval(d.retention), interval(d.corrected)
	return c, d, nil
}

// perplexity fills in what became of a perplexity.
func (c *Change) perplexity(dense, pruned *Result, seed uint64) drawn {
	nll, weights := dense.losses(c.Metric)
	now, _ := pruned.losses(c.Metric)
	var differences []float64
	c.Test, differences = pairedBootstrap(nll, now, weights, seed)
	// From the losses: the perplexity of a broken model may be too large a number to divide by.
	kept := func(difference float64) float64 {
		if c.Metric == "bits_per_byte" {
			return ratio(c.Dense.Value, c.Dense.Value+difference/math.Ln2)
		}
		return math.Exp(-difference)
	}
	c.Retention = kept(c.Test.Difference)
	if c.Metric == "bits_per_byte" {
		c.Retention = ratio(c.Dense.Value, c.Pruned.Value)
	}
	c.ChanceCorrected = c.Retention
	c.Counts = !math.IsNaN(c.Retention)
	draws := make([]float64, resamples)
	for i := range draws {
		draws[i] = c.Retention
		if differences != nil {
			draws[i] = kept(differences[i])
		}
	}
	return drawn{draws, draws}
}

// accuracy fills in what became of a share of right answers.
func (c *Change) accuracy(dense, pruned *Result, seed uint64) drawn {
	c.Retention = ratio(c.Pruned.Value, c.Dense.Value)
	c.ChanceCorrected = math.NaN()
	if c.Dense.Value > c.Chance {
		c.ChanceCorrected = (c.Pruned.Value - c.Chance) / (c.Dense.Value - c.Chance)
	}
	c.Counts = !math.IsNaN(c.Retention)
	if c.Chance > 0 {
		c.AboveChance = AgainstChance(c.Dense.Value, c.N, c.Chance)
		c.Counts = c.Counts && c.AboveChance.Above()
	}
	both, lost, won := 0, 0, 0
	was, is := dense.values(c.Metric), pruned.values(c.Metric)
	for i := range was {
		switch {
		case was[i] > is[i]:
			lost++
		case was[i] < is[i]:
			won++
		case was[i] > 0:
			both++
		}
	}
	c.Test = McNemar(lost, won)
	return drawAccuracy(c.Task, both, lost, won, len(was)-both-lost-won, c.Chance, seed)
}

// sameQuestions makes sure that two results answer the same questions in the same way.
func sameQuestions(a, b *Result) error {
	switch {
	case a.Task != b.Task || a.Version != b.Version:
		return fmt.Errorf("version %s against %s version %s", a.Version, b.Task, b.Version)
	case a.BOS != b.BOS || a.MaxLength != b.MaxLength || a.Convention != b.Convention:
		return fmt.Errorf("BOS %v, %d tokens %s against BOS %v, %d tokens %s", a.BOS, a.MaxLength, a.Convention, b.BOS, b.MaxLength, b.Convention)
	case len(a.Items) != len(b.Items):
		return fmt.Errorf("%d items against %d", len(a.Items), len(b.Items))
	}
	for i := range a.Items {
		if a.Items[i].Item != b.Items[i].Item || a.Items[i].Gold != b.Items[i].Gold {
			return fmt.Errorf("item %d against item %d: not the same questions", a.Items[i].Item, b.Items[i].Item)
		}
	}
	return nil
}

// ratio is NaN where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
