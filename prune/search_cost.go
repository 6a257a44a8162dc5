package prune

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
)

// What sets cost. No token costs less than nothing, so what a set has cost so far is the least that it can come to: once that is above what as many
// sets as are wanted have cost in all, the set cannot be among them, and the rest of the text is not spent on it. This is exact: the sets chosen
// are those that the whole text chooses.

// costs measures sets.
type costs struct {
	runner avss.Runner
	gaps   *gaps // nil: gaps are not repaired
	text   []engine.Sequence
	tokens int // scored in all of the text
	layers int
	o      SearchOptions
	whole  map[string]float64 // Σ cost of the sets measured on all of the text, by the set
	tried  int

	// For the estimate of the time that is left: work done, the sets that lie ahead, and what part of the text a set has taken on average.
	done, ahead, pace float64
	rows              int64
}

// costed is a set and what it costs a token.
type costed struct {
	drop engine.Drop
	cost float64
}

// contender is a set that is being measured.
type contender struct {
	drop engine.Drop
	key  string
	sum  float64
}

// stages parts the text: where each stage ends, in sequences.
func (c *costs) stages() (ends []int) {
	n := len(c.text)
	if c.o.Whole {
		return []int{n}
	}
	for _, part := range []int{8, 4, 2, 1} {
		if end := max(1, n/part); len(ends) == 0 || end > ends[len(ends)-1] {
			ends = append(ends, end)
		}
	}
	return ends
}

// best finds the sets that cost least, as many as are to be kept, cheapest first and equal ones in their own order, and among them only those that
// cost no more than a limit.
func (c *costs) best(ctx context.Context, sets []engine.Drop, keep int, limit float64) ([]costed, error) {
	c.tried += len(sets)
	ahead, work := c.ahead, c.done
	bound := func() float64 { // Σ above which a set is not wanted
		var sums []float64
		for _, set := range sets {
			if sum, known := c.whole[set.String()]; known {
				sums = append(sums, sum)
			}
		}
		slices.Sort(sums)
		most := limit * float64(c.tokens)
		if len(sums) >= keep {
			most = min(most, sums[keep-1])
		}
		return most
	}
	var running []*contender
	for _, set := range sets {
		if _, known := c.whole[set.String()]; !known {
			running = append(running, &contender{drop: set, key: set.String()})
		}
	}
	fresh := len(running)
	ends := c.stages()
	for stage, begin := 0, 0; stage < len(ends) && len(running) > 0; stage++ {
		if len(running) <= keep { // nobody is left to leave off
			ends[stage] = len(c.text)
		}
		if err := c.spend(ctx, running, begin, ends[stage]); err != nil {
			return nil, err
		}
		begin = ends[stage]
		if begin == len(c.text) {
			c.finish(running)
			break
		}
		slices.SortStableFunc(running, func(a, b *contender) int { return cmp.Compare(a.sum, b.sum) })
		if stage == 0 { // what the likely ones come to in all bounds the others
			leaders := running[:min(keep, len(running))]
			if leaders[len(leaders)-1].sum <= bound() {
				if err := c.spend(ctx, leaders, begin, len(c.text)); err != nil {
					return nil, err
				}
				c.finish(leaders)
				running = running[len(leaders):]
			}
		}
		most := bound()
		running = slices.DeleteFunc(running, func(r *contender) bool { return r.sum > most })
	}
	var all []costed
	for _, set := range sets {
		if sum, known := c.whole[set.String()]; known && sum <= limit*float64(c.tokens) {
			all = append(all, costed{set, sum / float64(c.tokens)})
		}
	}
	slices.SortStableFunc(all, func(a, b costed) int { return cmp.Compare(a.cost, b.cost) })
	c.ahead = max(0, ahead-float64(len(sets)))
	if fresh > 0 {
		c.pace = (c.done - work) / (float64(fresh) * float64(c.layers) / 2 * float64(c.tokens))
	}
	return all[:min(keep, len(all))], nil
}

// finish notes what sets came to on all of the text.
func (c *costs) finish(sets []*contender) {
	for _, s := range sets {
		c.whole[s.key] = s.sum
	}
}

// spend measures sets on the sequences from begin to end.
func (c *costs) spend(ctx context.Context, sets []*contender, begin, end int) error {
	if begin >= end || len(sets) == 0 {
		return nil
	}
	p := engine.Pass{Sequences: c.text[begin:end], Memory: c.o.Memory, Diverge: c.o.Objective == ObjectiveKL}
	if p.Diverge {
		p.Variants, p.Repairs = []engine.Drop{nil}, []*engine.Repair{nil}
	}
	first := len(p.Variants)
	for _, s := range sets {
		r, err := c.repair(ctx, s.drop)
		if err != nil {
			return err
		}
		p.Variants, p.Repairs = append(p.Variants, s.drop), append(p.Repairs, r)
	}
	done, rows := c.done, c.rows
	p.Progress = func(s engine.Step) {
		c.done, c.rows = done+s.Done, rows+s.Rows
		if c.o.Progress != nil {
			left := max(s.Total-s.Done, 0) + c.ahead*c.pace*float64(c.layers)/2*float64(c.tokens)
			c.o.Progress(engine.Step{Layer: s.Layer, Layers: s.Layers, Done: c.done, Total: c.done + left, Rows: c.rows})
		}
	}
	outcome, err := c.runner.Run(ctx, p)
	if err != nil {
		return err
	}
	if len(outcome.Scores) != len(p.Variants) {
		return fmt.Errorf("prune: search: the pass scored %d variants, want %d", len(outcome.Scores), len(p.Variants))
	}
	for i, s := range sets {
		for k := range outcome.Scores[first+i] {
			cost, err := c.of(&outcome.Scores[first+i][k])
			if err != nil {
				return fmt.Errorf("prune: search: without layers %s: %w", s.drop, err)
			}
			s.sum += cost
		}
	}
	return nil
}

// repair is what a set's gaps are repaired by.
func (c *costs) repair(ctx context.Context, drop engine.Drop) (*engine.Repair, error) {
	if c.gaps == nil {
		return nil, nil
	}
	return c.gaps.repair(ctx, drop)
}

// of is what a set has cost on a sequence, never less than nothing: a divergence of nothing may come out below by rounding.
func (c *costs) of(s *engine.SequenceScore) (float64, error) {
	sum := s.Score
	for _, b := range s.Branches {
		sum = sum.Add(b)
	}
	cost := sum.KL
	if c.o.Objective == ObjectiveNLL {
		cost = -sum.LogLikelihood
	}
	if math.IsNaN(cost) {
		return 0, fmt.Errorf("what it costs is not a number")
	}
	return max(cost, 0), nil
}

// cheapest lists the best sets of so many layers that were measured whole.
func (c *costs) cheapest(layers, most int) (all []FoundSet) {
	for key, sum := range c.whole {
		drop, err := engine.ParseDrop(key)
		if err != nil {
			panic("prune: search: " + err.Error())
		}
		if len(drop) == layers {
			all = append(all, FoundSet{Layers: drop.Layers(), Cost: sum / float64(c.tokens)})
		}
	}
	slices.SortFunc(all, func(a, b FoundSet) int {
		return cmp.Or(cmp.Compare(a.Cost, b.Cost), slices.Compare(a.Layers, b.Layers))
	})
	return all[:min(most, len(all))]
}

// swapRounds and swapShare are what swaps are thought to take before they have begun: how many rounds, and what part of them is not known already.
const swapRounds, swapShare = 2, 0.5
