package prune

import (
	"slices"

	"avssnative/avss"
	"avssnative/engine"
)

// SearchFits returns why a search over a text, as a metric makes it, would not fit into what the process may hold, or nil: for a job that has other
// work to do first. Of the text it is the lengths of the sequences that count.
func SearchFits(m *engine.Model, text []engine.Sequence, o avss.Options) error {
	compared, options, err := searchOf(m.Layers(), engine.Pass{Sequences: text}, o)
	if err != nil {
		return err
	}
	free, err := options.free(m.Layers())
	if err != nil {
		return err
	}
	held := int64(0)
	if options.Repair == RepairLstsq {
		var most int64
		if most, held, err = searchTakes(m, compared, options); err != nil {
			return err
		}
		if err := m.Fits(most+engine.Later, "a search, which holds the dense model's streams and the matrices that bridge gaps,"); err != nil {
			return err
		}
	}
	p := engine.Pass{Sequences: compared, Diverge: options.Objective == ObjectiveKL}
	if p.Diverge {
		p.Variants = []engine.Drop{nil}
	}
	p.Variants = append(p.Variants, engine.Layers(free[:slices.Max(options.Counts)]...))
	return m.RunFits(p, held+engine.Later)
}

// searchTakes is what a search that bridges gaps takes at most beside its passes, and what of it stays: the streams of the text that sets are compared
// on, where these are what they are compared with, and of the text that gaps are bridged by; the matrix of every gap; and what solves for one.
func searchTakes(m *engine.Model, compared []engine.Sequence, o SearchOptions) (most, held int64, err error) {
	rows := func(text []engine.Sequence) (n int) {
		for _, s := range text {
			n += len(s.IDs)
		}
		return n
	}
	texts := []int{rows(o.Fit)}
	if o.Fit == nil {
		texts = []int{rows(compared)}
	} else if o.Objective == ObjectiveKL {
		texts = []int{rows(compared), rows(o.Fit)} // in the order in which they are walked
	}
	for _, n := range texts {
		takes, kept, err := m.StreamsTake(n)
		if err != nil {
			return 0, 0, err
		}
		most = max(most, held+takes)
		held += kept
	}
	if held == 0 { // nothing is bounded
		return 0, 0, nil
	}
	hidden := int64(m.Spec.Hidden)
	held += gapsBeside(m.Layers(), o) * 4 * hidden * hidden
	// A gap's rows of x and e, and once turned; and in float64 its sums, what is factorised, the factor and the solution.
	solving := 16*hidden*int64(texts[len(texts)-1]) + 64*hidden*hidden
	return max(most, held+solving*5/4), held, nil
}

// gapsBeside is how many different gaps the sets of a search have about: all there are of their lengths where all sets are tried, else those of one layer
// and, a round and set that is gone on with, those that a layer makes longer at either end.
func gapsBeside(layers int, o SearchOptions) int64 {
	longest, all := slices.Max(o.Counts), int64(0)
	for n := 1; n <= longest; n++ {
		all += int64(layers - n + 1)
	}
	s := &search{o: o}
	for range layers - len(o.Keep) {
		s.free = append(s.free, 0)
	}
	if s.all(longest) {
		return all
	}
	return min(all, int64(layers+2*longest*longest*max(1, o.Beam)))
}
