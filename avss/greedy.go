package avss

// Greedy removal (SLEB, arXiv 2402.09025): drop the layer whose absence costs least, then the one that costs least given that, and so on. A
// round is one pass over all removals that are left; they share their prefixes.

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"

	"avssnative/engine"
)

func init() {
	Register(Definition{
		builtin: true, Name: "greedy",
		About:  "drops one layer a round, the one whose absence costs least given those gone before",
		Unit:   "round",
		Papers: []Citation{sleb},
		Rounds: true,
		Search: &Search{Name: "greedy removal", Run: func(ctx context.Context, r Runner, p engine.Pass, o Options) ([]Scores, error) {
			if o.Rounds == 0 {
				o.Rounds = Quarter(r.Layers())
			}
			g, err := MeasureGreedy(ctx, r, p, o.Rounds, o.Keep)
			if err != nil {
				return nil, err
			}
			return []Scores{g.Scores()}, nil
		}},
	})
}

// Quarter is how many of so many layers, or halves of layers, go where nobody says how many: about a quarter, and at least one.
func Quarter(units int) int { return max(1, (units+2)/4) }

// Greedy is what a greedy search found.
type Greedy struct {
	Layers        int   // of the dense model
	Order         []int // layers in the order they went
	Losses        []float64
	Dense         float64 // nats a token of the dense model
	Blocks, Alone int     // blocks computed, and what they would be without shared prefixes
	Sequences     int
}

// MeasureGreedy drops layers for so many rounds, never one of keep. Variants, Observe and Diverge of p are set here.
func MeasureGreedy(ctx context.Context, r Runner, p engine.Pass, rounds int, keep []int) (*Greedy, error) {
	layers := r.Layers()
	var free []int
	for l := range layers {
		if !slices.Contains(keep, l) {
			free = append(free, l)
		}
	}
	if rounds < 1 || rounds > len(free) || rounds >= layers {
		return nil, fmt.Errorf("avss: greedy: %d rounds: want at least 1 and at most %d, for %d layers of which %d are kept anyway",
			rounds, min(len(free), layers-1), layers, layers-len(free))
	}
	out := &Greedy{Layers: layers, Sequences: len(p.Sequences)}
	p.Observe, p.Diverge = nil, false
	all := inRounds{tell: p.Progress}
	for round := range rounds {
		// The first round also judges the dense model.
		p.Variants = nil
		if round == 0 {
			p.Variants = []engine.Drop{nil}
		}
		dense := len(p.Variants)
		for _, l := range free {
			p.Variants = append(p.Variants, with(out.Order, l))
		}
		p.Progress = all.round(len(free), rounds-round)
		outcome, err := r.Run(ctx, p)
		if err != nil {
			return nil, err
		}
		if len(outcome.Scores) != len(p.Variants) {
			return nil, fmt.Errorf("avss: greedy: the pass scored %d variants, want %d", len(outcome.Scores), len(p.Variants))
		}
		out.Blocks += outcome.Blocks
		out.Alone += outcome.Alone
		best, loss := -1, math.Inf(1)
		for v, sequences := range outcome.Scores {
			mean, err := meanLoss(sequences)
			if err != nil {
				return nil, fmt.Errorf("avss: greedy: %s: %w", lackingAll(p.Variants[v]), err)
			}
			switch {
			case v < dense:
				out.Dense = mean
			case best < 0 || mean < loss:
				best, loss = v-dense, mean
			}
		}
		out.Order = append(out.Order, free[best])
		out.Losses = append(out.Losses, loss)
		free = slices.Delete(free, best, best+1)
	}
	return out, nil
}

// inRounds tells of the steps of one pass after the other as those of one work.
type inRounds struct {
	tell func(engine.Step) // nil: nobody is told
	last engine.Step       // of all rounds so far
}

// round is the Progress of the next pass, which drops one of so many layers and is the first of so many rounds. What a round computes goes with the
// square of the layers that are left: as many variants, each of which computes half of them by itself.
func (a *inRounds) round(layers, rounds int) func(engine.Step) {
	if a.tell == nil {
		return nil
	}
	passes := 0.0 // as this one, that all rounds that are left come to
	for i := range rounds {
		passes += float64((layers-i)*(layers-i)) / float64(layers*layers)
	}
	before := a.last
	return func(s engine.Step) {
		a.last = engine.Step{Layer: s.Layer, Layers: s.Layers, Done: before.Done + s.Done, Total: before.Done + s.Total*passes, Rows: before.Rows + s.Rows}
		a.tell(a.last)
	}
}

// lackingAll names a variant.
func lackingAll(drop engine.Drop) string {
	if len(drop) == 0 {
		return "the dense model"
	}
	return fmt.Sprintf("without layers %s", drop)
}

// with is the set of the layers gone and one more.
func with(gone []int, layer int) engine.Drop {
	return engine.Layers(slices.Sorted(slices.Values(append([]int{layer}, gone...)))...)
}

// meanLoss is nats a token, summed over sequences exactly.
func meanLoss(sequences []engine.SequenceScore) (float64, error) {
	var sum Sum
	tokens := int64(0)
	for i := range sequences {
		s := total(&sequences[i])
		sum.Add(-s.LogLikelihood)
		tokens += int64(s.Tokens)
	}
	switch v := sum.Float64(); {
	case tokens == 0:
		return 0, fmt.Errorf("no token is scored: set ScoreFrom and ScoreTo of the sequences")
	case math.IsNaN(v):
		return 0, fmt.Errorf("the loss is not a number")
	case math.IsInf(v, 0):
		return v, nil
	}
	mean, _ := new(big.Rat).Quo(sum.Rat(), new(big.Rat).SetInt64(tokens)).Float64()
	return mean, nil
}

// Scores are the rounds in which the layers went, counted from 0; layers that never went have the score +Inf.
func (g *Greedy) Scores() Scores {
	out := Scores{Metric: "greedy", Values: make(Values, g.Layers), Tau: Value(math.NaN()), Sequences: int64(g.Sequences), Dense: Value(g.Dense),
		Order: slices.Clone(g.Order), Losses: slices.Clone(g.Losses), References: references("greedy"),
		Notes: []string{fmt.Sprintf("the score is the round in which a layer went; after %d rounds the search ended", len(g.Order))}}
	for l := range out.Values {
		out.Values[l] = math.Inf(1)
	}
	for round, l := range g.Order {
		out.Values[l] = float64(round)
	}
	return out
}
