package prune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"avssnative/avss"
	"avssnative/engine"

	"gonum.org/v1/gonum/stat/distuv"
)

// What sets cost. No token costs less than nothing, so what a set has cost so far is the least that it can come to: once that is above what as many
// sets as are wanted have cost in all, the set cannot be among them, and the rest of the text is not spent on it. This is exact: the sets chosen
// are those that the whole text chooses. Where a doubt is allowed, a set is also left off once what it costs more than the last of those wanted,
// sequence by sequence, says by Student's t that it will on all of the text, but for that probability.

// costs measures sets.
type costs struct {
	runner avss.Runner
	gaps   *gaps  // nil: gaps are not repaired
	known  *dense // whose last stream need not be walked with every pass; nil: it is
	text   []engine.Sequence
	tokens int     // scored in all of the text
	ends   []int   // of the portions that costs are of, each one sequence or more: where they end among the sequences
	weight float64 // what costs are shared over: tokens, or questions
	layers int
	o      SearchOptions
	whole  map[string][]float64 // what the sets measured on all of the text have cost, by the set, a portion
	tried  int

	// For the estimate of the time that is left: work done, in all and before the round in work; sets on all of the text that lie ahead, as layer
	// applications, and those of the round in work; and what part of such work a round has taken.
	done, before, ahead, round, pace float64
	rows                             int64
}

// costed is a set and what it costs a token.
type costed struct {
	drop engine.Drop
	cost float64
}

// contender is a set that is being measured.
type contender struct {
	drop  engine.Drop
	key   string
	spent []float64 // a portion measured
	sum   float64
}

// stages parts the text: where each stage ends, in portions.
func (c *costs) stages() (ends []int) {
	n := len(c.ends)
	if c.o.Whole {
		return []int{n}
	}
	for _, part := range []int{16, 8, 4, 2, 1} {
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
	bound := func() (most float64, last []float64) { // Σ above which a set is not wanted, and what makes it up
		var wanted [][]float64
		for _, set := range sets {
			if spent, known := c.whole[set.String()]; known {
				wanted = append(wanted, spent)
			}
		}
		slices.SortStableFunc(wanted, func(a, b []float64) int { return cmp.Compare(total(a), total(b)) })
		most = limit * c.weight
		if len(wanted) >= keep {
			if sum := total(wanted[keep-1]); sum <= most {
				most, last = sum, wanted[keep-1]
			}
		}
		return most, last
	}
	var running []*contender
	for _, set := range sets {
		if _, known := c.whole[set.String()]; !known {
			running = append(running, &contender{drop: set, key: set.String()})
		}
	}
	c.begin(sets, len(running))
	ends := c.stages()
	for stage, begin := 0, 0; stage < len(ends) && len(running) > 0; stage++ {
		if len(running) <= keep { // nobody is left to leave off
			ends[stage] = len(c.ends)
		}
		if err := c.spend(ctx, running, begin, ends[stage]); err != nil {
			return nil, err
		}
		begin = ends[stage]
		if begin == len(c.ends) {
			c.finish(running)
			break
		}
		slices.SortStableFunc(running, func(a, b *contender) int { return cmp.Compare(a.sum, b.sum) })
		if stage == 0 { // what the likely ones come to in all bounds the others
			leaders := running[:min(keep, len(running))]
			if most, _ := bound(); leaders[len(leaders)-1].sum <= most {
				if err := c.spend(ctx, leaders, begin, len(c.ends)); err != nil {
					return nil, err
				}
				c.finish(leaders)
				running = running[len(leaders):]
			}
		}
		most, last := bound()
		running = slices.DeleteFunc(running, func(r *contender) bool { return r.sum > most || c.doubtful(r.spent, last) })
	}
	var all []costed
	for _, set := range sets {
		if spent, known := c.whole[set.String()]; known && total(spent) <= limit*c.weight {
			all = append(all, costed{set, total(spent) / c.weight})
		}
	}
	slices.SortStableFunc(all, func(a, b costed) int { return cmp.Compare(a.cost, b.cost) })
	if c.round > 0 && c.done > c.before {
		c.pace = (c.done - c.before) / (c.round * float64(c.tokens))
	}
	c.round = 0
	return all[:min(keep, len(all))], nil
}

// begin notes for the estimate that a round begins, in which some of the sets are not known yet.
func (c *costs) begin(sets []engine.Drop, fresh int) {
	c.before, c.round = c.done, 0
	if len(sets) > 0 {
		c.ahead = max(0, c.ahead-applications(c.layers, len(sets[0]), float64(len(sets))))
		c.round = applications(c.layers, len(sets[0]), float64(fresh))
	}
}

// left is the work that is thought to lie ahead of a pass's step.
func (c *costs) left(s engine.Step) float64 {
	tokens := float64(c.tokens)
	return max(s.Total-s.Done, c.round*c.pace*tokens-(c.done-c.before), 0) + c.ahead*c.pace*tokens
}

// applications are how often layers and the head are applied for so many sets of n layers gone, which share half of what they have.
func applications(layers, n int, sets float64) float64 { return sets * (float64(layers-n)/2 + 1) }

// doubtful says whether a set that has been measured on some sequences will cost more in all than one that has been on all of them, but for the
// doubt that is allowed. The sequences are a finite text: what is uncertain is what those to come will cost.
func (c *costs) doubtful(spent, than []float64) bool {
	k, n := float64(len(spent)), float64(len(than))
	if c.o.Doubt <= 0 || k < 3 || n <= k {
		return false
	}
	mean, squares := 0.0, 0.0
	for i, v := range spent {
		mean += (v - than[i]) / k
	}
	for i, v := range spent {
		d := v - than[i] - mean
		squares += d * d
	}
	deviation := math.Sqrt(squares / (k - 1))
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: k - 1}.Quantile(1 - c.o.Doubt)
	return n*mean > t*deviation*math.Sqrt(n*(n-k)/k)
}

// total sums up in the order of the text, as partial sums do.
func total(spent []float64) (sum float64) {
	for _, v := range spent {
		sum += v
	}
	return sum
}

// finish notes what sets came to on all of the text.
func (c *costs) finish(sets []*contender) {
	for _, s := range sets {
		c.whole[s.key] = s.spent
	}
}

// measure finds the portions of the text.
func (c *costs) measure() error {
	if c.tokens = scoredTokens(c.text); c.tokens == 0 {
		return errors.New("no token is scored: set ScoreFrom and ScoreTo of the sequences")
	}
	if c.o.Objective != ObjectiveTask {
		for i := range c.text {
			c.ends = append(c.ends, i+1)
		}
		c.weight = float64(c.tokens)
		return nil
	}
	q := c.o.Questions
	if q == nil || q.Cost == nil || len(q.Ends) == 0 || q.Ends[len(q.Ends)-1] != len(c.text) || !slices.IsSorted(q.Ends) || q.Ends[0] < 1 {
		return fmt.Errorf("objective %s: want questions that the %d sequences of the text are of", ObjectiveTask, len(c.text))
	}
	c.ends, c.weight = q.Ends, float64(len(q.Ends))
	return nil
}

// begins is the first sequence of a portion.
func (c *costs) begins(portion int) int {
	if portion == 0 {
		return 0
	}
	return c.ends[portion-1]
}

// spend measures sets on the portions from begin to end.
func (c *costs) spend(ctx context.Context, sets []*contender, begin, end int) error {
	if begin >= end || len(sets) == 0 {
		return nil
	}
	from, to := c.begins(begin), c.ends[end-1]
	p := engine.Pass{Sequences: c.text[from:to], Memory: c.o.Memory, Diverge: c.o.Objective == ObjectiveKL}
	if p.Diverge {
		p.Variants, p.Repairs = []engine.Drop{nil}, []*engine.Repair{nil}
	}
	p.Prepare = func(ctx context.Context, p *engine.Pass) error { return c.prepare(ctx, p, from, to) }
	first := len(p.Variants)
	for _, s := range sets {
		r, err := c.repair(s.drop)
		if err != nil {
			return err
		}
		p.Variants, p.Repairs = append(p.Variants, s.drop), append(p.Repairs, r)
	}
	done, rows := c.done, c.rows
	p.Progress = func(s engine.Step) {
		c.done, c.rows = done+s.Done, rows+s.Rows
		if c.o.Progress != nil {
			c.o.Progress(engine.Step{Layer: s.Layer, Layers: s.Layers, Done: c.done, Total: c.done + c.left(s), Rows: c.rows})
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
		for portion := begin; portion < end; portion++ {
			cost, err := c.of(portion, outcome.Scores[first+i][c.begins(portion)-from:c.ends[portion]-from])
			if err != nil {
				return fmt.Errorf("prune: search: without layers %s: %w", s.drop, err)
			}
			s.spent, s.sum = append(s.spent, cost), s.sum+cost
		}
	}
	return nil
}

// repair is what a set's gaps are repaired by.
func (c *costs) repair(drop engine.Drop) (*engine.Repair, error) {
	if c.gaps == nil {
		return nil, nil
	}
	return c.gaps.repair(drop)
}

// prepare gives a pass over the sequences from..to−1 that is to be computed the dense model's stream, and its variants the matrices of their gaps.
func (c *costs) prepare(ctx context.Context, p *engine.Pass, from, to int) error {
	if c.known != nil && p.Diverge {
		streams, err := c.known.streams(ctx)
		if err != nil {
			return err
		}
		p.Known = streams.Last()[from:to]
	}
	if c.gaps == nil {
		return nil
	}
	for _, drop := range p.Variants {
		if err := c.gaps.solve(ctx, drop); err != nil {
			return err
		}
	}
	return nil
}

// of is what a set has cost on a portion, never less than nothing: a divergence of nothing may come out below by rounding.
func (c *costs) of(portion int, scores []engine.SequenceScore) (float64, error) {
	if c.o.Objective == ObjectiveTask {
		cost, err := c.o.Questions.Cost(portion, scores)
		if err == nil && math.IsNaN(cost) {
			err = fmt.Errorf("what question %d costs is not a number", portion)
		}
		return max(cost, 0), err
	}
	sum := scores[0].Score
	for _, b := range scores[0].Branches {
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
func (c *costs) cheapest(layers, most int) (all []avss.Set) {
	for key, spent := range c.whole {
		drop, err := engine.ParseDrop(key)
		if err != nil {
			panic("prune: search: " + err.Error())
		}
		if len(drop) == layers {
			all = append(all, avss.Set{Layers: drop.Layers(), Cost: avss.Value(total(spent) / c.weight), Per: c.o.per()})
		}
	}
	slices.SortFunc(all, func(a, b avss.Set) int {
		return cmp.Or(cmp.Compare(a.Cost, b.Cost), slices.Compare(a.Layers, b.Layers))
	})
	return all[:min(most, len(all))]
}

// swapRounds is how many rounds of swaps are thought to be needed before they have begun.
const swapRounds = 2
