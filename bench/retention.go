package bench

import (
	"fmt"
	"math"

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
	Test            Test
	KL              float64 // mean a scored token, nats
	SameTop         float64
	Flips           float64 // share of items answered differently; NaN for texts
}

// A Comparison holds a pruned model against the dense one.
type Comparison struct {
	Tasks []Change
	// MeanOfRatios is the mean of the tasks' retentions, MeanOfCorrected that of the chance-corrected ones. Tasks without one are left out.
	MeanOfRatios, MeanOfCorrected float64
	// RatioOfMeans is the mean accuracy now over the mean accuracy before. Perplexities are no part of it: their mean means nothing.
	RatioOfMeans float64
	// KL is the mean divergence from the dense model over all scored tokens, nats; SameTop the share of them whose most likely token is
	// the dense model's.
	KL, SameTop float64
	Tokens      int
}

// Compare judges a pruned model's results against the dense one's: the same tasks, the same items, in the same order. seed is the paired
// bootstrap's.
func Compare(dense, pruned []Result, seed uint64) (*Comparison, error) {
	if len(dense) != len(pruned) {
		return nil, fmt.Errorf("bench: %d results before and %d after", len(dense), len(pruned))
	}
	j := &Comparison{}
	var ratios, corrected, before, after []float64
	for i := range dense {
		c, err := change(&dense[i], &pruned[i], seed)
		if err != nil {
			return nil, fmt.Errorf("bench: %s: %w", dense[i].Task, err)
		}
		j.Tasks = append(j.Tasks, c)
		if !math.IsNaN(c.Retention) {
			ratios = append(ratios, c.Retention)
		}
		if !math.IsNaN(c.ChanceCorrected) {
			corrected = append(corrected, c.ChanceCorrected)
		}
		if c.Dense.HigherIsBetter {
			before, after = append(before, c.Dense.Value), append(after, c.Pruned.Value)
		}
		tokens := pruned[i].Tokens
		j.Tokens += tokens
		j.KL += pruned[i].KL * float64(tokens)
		j.SameTop += pruned[i].SameTop * float64(tokens)
	}
	if j.Tokens > 0 {
		j.KL /= float64(j.Tokens)
		j.SameTop /= float64(j.Tokens)
	}
	j.MeanOfRatios, j.MeanOfCorrected = stat.Mean(ratios, nil), stat.Mean(corrected, nil)
	j.RatioOfMeans = ratio(stat.Mean(after, nil), stat.Mean(before, nil))
	return j, nil
}

func change(dense, pruned *Result, seed uint64) (Change, error) {
	c := Change{Task: dense.Task, Version: dense.Version, N: dense.N, Metric: dense.Primary, Convention: dense.Convention, Chance: dense.Chance,
		Dense: dense.Main(), Pruned: pruned.Main(), KL: pruned.KL, SameTop: pruned.SameTop}
	if err := sameQuestions(dense, pruned); err != nil {
		return c, err
	}
	c.Flips = flips(dense, pruned)
	if !c.Dense.HigherIsBetter {
		nll, weights := dense.losses(c.Metric)
		now, _ := pruned.losses(c.Metric)
		c.Test = PairedBootstrap(nll, now, weights, seed)
		// From the losses: the perplexity of a broken model may be too large a number to divide by.
		c.Retention = math.Exp(-c.Test.Difference)
		if c.Metric == "bits_per_byte" {
			c.Retention = ratio(c.Dense.Value, c.Pruned.Value)
		}
		c.ChanceCorrected = c.Retention
		return c, nil
	}
	c.Retention = ratio(c.Pruned.Value, c.Dense.Value)
	c.ChanceCorrected = math.NaN()
	if c.Dense.Value > c.Chance {
		c.ChanceCorrected = (c.Pruned.Value - c.Chance) / (c.Dense.Value - c.Chance)
	}
	lost, won := 0, 0
	was, is := dense.values(c.Metric), pruned.values(c.Metric)
	for i := range was {
		switch {
		case was[i] > is[i]:
			lost++
		case was[i] < is[i]:
			won++
		}
	}
	c.Test = McNemar(lost, won)
	return c, nil
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
