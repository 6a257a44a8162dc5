package engine

import (
	"context"
	"errors"
)

// How a fit adds up. Floating-point sums depend on their order, so a step's sums are those of runs of batches, each added up by itself and then to
// the others in the order of the text. Where the runs begin depends on the text alone: whoever walks some of them, their sums added up are the same
// bits.

// mostLeaves is how many such runs a text has at most: as many processes share it, and as many matrices a step leaves in a folder where several do.
const mostLeaves = 16

// leaf is a run of batches, first to before end.
type leaf struct{ first, end int }

// leavesOf parts batches into runs of about as many each.
func leavesOf(batches int) []leaf {
	all := make([]leaf, min(mostLeaves, batches))
	for i := range all {
		all[i] = leaf{batches * i / len(all), batches * (i + 1) / len(all)}
	}
	return all
}

// ofPart are the runs that one of several processes walks.
func ofPart(all []leaf, index, count int) []leaf {
	return all[len(all)*index/count : len(all)*(index+1)/count]
}

// shape is which sums a step takes.
type shape struct {
	in     int    // inputs of the linear layers; 0: no matrices are summed up
	outs   []int  // outputs of each
	biases []bool // which of them have one
	counts int    // rows are counted in so many kinds
}

// sums are a step's: of linear layers with one input, over the rows to fit on and those kept apart.
type sums struct {
	fitted, held []*Gram
	lengths      [2]float64 // of the dense stream's rows behind the projection in work, and of the pruned one's
	counts       []int64
}

func (s *shape) sums() *sums {
	return &sums{fitted: s.grams(), held: s.grams(), counts: make([]int64, s.counts)}
}

func (s *shape) grams() []*Gram {
	all := newGrams(s.in, s.outs...)
	for i, g := range all {
		if s.biases[i] && s.in > 0 {
			g.withBias()
		}
	}
	return all
}

// add adds a run's sums.
func (s *sums) add(run *sums) {
	addGrams(s.fitted, run.fitted)
	addGrams(s.held, run.held)
	for i, v := range run.lengths {
		s.lengths[i] += v
	}
	for i, n := range run.counts {
		s.counts[i] += n
	}
}

func addGrams(to, from []*Gram) {
	if len(to) == 0 {
		return
	}
	addUp(to[0].XX, from[0].XX)
	addUp(to[0].X, from[0].X)
	for i, g := range to {
		addUp(g.EX, from[i].EX)
		addUp(g.E, from[i].E)
		g.EE += from[i].EE
		g.Ones += from[i].Ones
		g.Rows += from[i].Rows
	}
}

// addUp adds values to a sum; what has been summed up there already is none of them.
func addUp(sum, values []float64) {
	if len(sum) == 0 || &sum[0] == &values[0] {
		return
	}
	for i, v := range values {
		sum[i] += v
	}
}

// cleared are sums of nothing, in the same memory.
func (s *sums) cleared() *sums {
	clearGrams(s.fitted)
	clearGrams(s.held)
	clear(s.lengths[:])
	clear(s.counts)
	return s
}

func clearGrams(all []*Gram) {
	for _, g := range all {
		for _, values := range [][]float64{g.XX, g.X, g.EX, g.E} {
			clear(values)
		}
		g.EE, g.Ones, g.Rows = 0, 0, 0
	}
}

// step is sums that are taken, from which something is solved.
type step struct {
	shape
	products func(run leaf, kept bool) int       // of how many products the sums of a run are, of rows to fit on or of those kept apart
	gather   func(run leaf, into *sums) error    // adds a run up
	finish   func(total *sums) (*settled, error) // solves
}

// settled is what came of a step.
type settled struct {
	solutions []*Solution // of each linear layer; nil: it stays
	lengths   [2]float64  // over all rows
	order     []int       // of kinds that rows were counted in
}

// alone adds up all runs.
func (s *step) alone(runs []leaf) (*sums, error) {
	total := s.sums()
	var buffers [2][]*Gram // of rows to fit on, and of those kept apart, where a run has several products
	for _, run := range runs {
		own := [2][]*Gram{beside(total.fitted), beside(total.held)}
		for i := range own {
			if s.products(run, i == 1) > 1 {
				if buffers[i] == nil {
					buffers[i] = s.grams()
				}
				clearGrams(buffers[i])
				own[i] = buffers[i]
			}
		}
		into := &sums{fitted: own[0], held: own[1], counts: make([]int64, s.counts)}
		if err := s.gather(run, into); err != nil {
			return nil, err
		}
		total.add(into)
	}
	return total, nil
}

// beside are sums whose matrices are those of others: where a run has one product it may go there at once.
func beside(total []*Gram) []*Gram {
	var all []*Gram
	var x []float64
	for _, g := range total {
		if x == nil {
			x = make([]float64, len(g.X))
		}
		own := &Gram{In: g.In, Out: g.Out, XX: g.XX, EX: g.EX, X: x}
		if g.E != nil {
			own.withBias()
		}
		all = append(all, own)
	}
	return all
}

// errUnknown ends a fit that only repeats what is known.
var errUnknown = errors.New("not known")

// settle is what a step comes to: alone, or with the sums of others.
func (f *fitter) settle(ctx context.Context, s *step) (*settled, error) {
	joint := f.fit.Joint
	if joint == nil {
		total, err := s.alone(f.leaves)
		if err != nil {
			return nil, err
		}
		return s.finish(total)
	}
	n := f.steps
	f.steps++
	data, err := joint.Known(n)
	if err == nil && data == nil {
		if f.repeats {
			return nil, errUnknown
		}
		data, err = joint.Settle(ctx, n, f.settling(s))
	}
	if err != nil {
		return nil, err
	}
	return decodeSettled(data, f.fit.State)
}

// products says of how many products a run's sums are where each batch is one.
func (f *fitter) products(run leaf, kept bool) int {
	n := 0
	for at := run.first; at < run.end; at++ {
		if f.held(at) == kept {
			n++
		}
	}
	return n
}
