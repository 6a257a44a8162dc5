package prune

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
)

// Search for the layers to drop: scores propose, what a set costs is measured, with the gaps repaired, on the calibration text. All sets are tried
// where there are few; elsewhere a beam takes one layer a round (SLEB, arXiv 2402.09025, is a beam of one without repair), and then one layer is
// swapped for another until no swap helps.

// Objective is what a set costs.
type Objective string

const (
	ObjectiveKL   Objective = "kl"   // KL(dense ‖ pruned), nats a token
	ObjectiveNLL  Objective = "nll"  // negative log-likelihood, nats a token
	ObjectiveTask Objective = "task" // what the answers to some questions cost, nats a question
)

// ParseObjective reads an objective's name.
func ParseObjective(text string) (Objective, error) {
	switch o := Objective(text); o {
	case ObjectiveKL, ObjectiveNLL, ObjectiveTask:
		return o, nil
	}
	return "", fmt.Errorf("prune: objective %.40q: unknown; known: %s, %s, %s", text, ObjectiveKL, ObjectiveNLL, ObjectiveTask)
}

// per is what a cost is shared over, where that is no token.
func (o *SearchOptions) per() string {
	if o.Objective == ObjectiveTask {
		return "question"
	}
	return ""
}

// SearchOptions say how sets are sought. The zero value but for Counts is right.
type SearchOptions struct {
	Counts    []int     // how many layers shall go: a set is sought for each number
	Keep      []int     // layers that may not go
	Objective Objective // "": kl
	// Questions are, by objective task, what the sequences of the text ask; its Sequences are not read.
	Questions *avss.Questions
	Repair    RepairMethod // of gaps within the search: lstsq, or "" and none for the plain cut
	// Fit is text to solve the repair of gaps on; nil: the text that sets are compared on, which flatters them.
	Fit       []engine.Sequence
	Beam      int // sets that a round goes on with; 0: one
	Most      int // all sets of a number of layers are tried where they are no more than this; 0: 2000; negative: never
	NoSwaps   bool
	Proposals []engine.Drop // sets that are measured as well, where their number of layers is sought
	Whole     bool          // measure every set on all of the text: what leaving off early must not change
	// Doubt is the probability with which a set that would have been among the best may be left off early, each time that sets are compared, where
	// costs differ from sequence to sequence as numbers from a normal distribution do; 0: never, so that leaving off changes nothing.
	Doubt    float64
	Progress func(engine.Step)
	Notice   func(avss.Set) // is told of every set that is better than what was known for its number of layers; may be nil
	Memory   int64          // of passes; 0: the engine's choice
}

// Searched is what a search found.
type Searched struct {
	Sets     []avss.Set   // one a count, as asked
	Next     [][]avss.Set // a count: the best sets that were measured whole, the one found first
	Proposed []avss.Set   // what the proposals cost
	Tried    int          // sets looked at
	Whole    int          // sets measured on all of the text
}

// Searchable is what a search needs of a model; *engine.Model is one.
type Searchable interface {
	avss.Runner
	NewRepair() *engine.Repair
	Streams(ctx context.Context, sequences []engine.Sequence, progress func(engine.Step)) (*engine.Streams, error)
}

const (
	// mostSets are tried outright unless told otherwise: four of the demo's sixteen layers are 1820.
	mostSets = 2000
	// nextSets are kept of those measured.
	nextSets = 8
)

// Search finds, for every number of layers asked for, the set that costs least on some text, whose scored tokens count.
func Search(ctx context.Context, m Searchable, text []engine.Sequence, o SearchOptions) (*Searched, error) {
	free, err := o.free(m.Layers())
	if err != nil {
		return nil, err
	}
	c := &costs{runner: m, text: text, o: o, whole: map[string][]float64{}, layers: m.Layers(), pace: 0.5}
	if err := c.measure(); err != nil {
		return nil, fmt.Errorf("prune: search: %w", err)
	}
	s := &search{o: o, costs: c, free: free, best: map[int]avss.Set{}, out: &Searched{}}
	s.prepare(m, text)
	s.costs.ahead = s.foresee()
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	s.out.Tried, s.out.Whole = c.tried, len(c.whole)
	return s.out, nil
}

// prepare says where the dense model's streams come from, from which gaps are bridged and whose last one is what pruned models are compared with. A
// pass that is computed is the first to walk them: where all passes have been computed before, nobody does.
func (s *search) prepare(m Searchable, text []engine.Sequence) {
	if s.o.Repair != RepairLstsq {
		return
	}
	compared, fit := &dense{model: m, text: text, progress: s.o.Progress}, &dense{model: m, text: s.o.Fit, progress: s.o.Progress}
	if s.o.Fit == nil {
		fit = compared
	}
	branched := slices.ContainsFunc(text, func(s engine.Sequence) bool { return len(s.Branches) > 0 })
	if s.o.Objective == ObjectiveKL && !branched {
		s.costs.known = compared
	}
	s.costs.gaps = newGaps(fit)
}

// dense is the dense model's streams over a text.
type dense struct {
	model    Searchable
	text     []engine.Sequence
	progress func(engine.Step)
	walked   *engine.Streams // nil before the first call
}

// streams walks them, once.
func (d *dense) streams(ctx context.Context) (*engine.Streams, error) {
	if d.walked == nil {
		walked, err := d.model.Streams(ctx, d.text, d.progress)
		if err != nil {
			return nil, err
		}
		d.walked = walked
	}
	return d.walked, nil
}

// free lists the layers that may go, and says what is wrong with what is asked.
func (o *SearchOptions) free(layers int) ([]int, error) {
	if o.Objective == "" {
		o.Objective = ObjectiveKL
	}
	if _, err := ParseObjective(string(o.Objective)); err != nil {
		return nil, err
	}
	if o.Repair != "" && o.Repair != RepairNone && o.Repair != RepairLstsq {
		return nil, fmt.Errorf("prune: search: repair %.40q: gaps are repaired by %s or not at all", o.Repair, RepairLstsq)
	}
	if o.Doubt < 0 || o.Doubt >= 0.5 {
		return nil, fmt.Errorf("prune: search: a doubt of %g: want a probability from 0 to 0.5", o.Doubt)
	}
	if o.Beam < 0 {
		return nil, fmt.Errorf("prune: search: a beam of %d: want at least one set", o.Beam)
	}
	o.Beam = max(1, o.Beam)
	if o.Most == 0 {
		o.Most = mostSets
	}
	var free []int
	for l := range layers {
		if !slices.Contains(o.Keep, l) {
			free = append(free, l)
		}
	}
	if len(o.Counts) == 0 {
		return nil, errors.New("prune: search: no number of layers is asked for")
	}
	for _, n := range o.Counts {
		if n < 1 || n > len(free) || n >= layers {
			return nil, fmt.Errorf("prune: search: %d layers: want at least 1 and at most %d, for %d layers of which %d are kept anyway",
				n, min(len(free), layers-1), layers, layers-len(free))
		}
	}
	return free, nil
}

func scoredTokens(text []engine.Sequence) (tokens int) {
	for _, s := range text {
		tokens += s.ScoreTo - s.ScoreFrom
		for _, b := range s.Branches {
			tokens += len(b)
		}
	}
	return tokens
}

// search carries one Search.
type search struct {
	o     SearchOptions
	costs *costs
	free  []int
	best  map[int]avss.Set // by number of layers
	out   *Searched
}

func (s *search) run(ctx context.Context) error {
	var far []int // counts that are too many for all sets to be tried
	for _, n := range s.o.Counts {
		if s.all(n) {
			if err := s.exhaust(ctx, n); err != nil {
				return err
			}
			if err := s.propose(ctx, n); err != nil {
				return err
			}
		} else {
			far = append(far, n)
		}
	}
	if len(far) > 0 {
		if err := s.beam(ctx, slices.Max(far)); err != nil {
			return err
		}
		for _, n := range far {
			if err := s.propose(ctx, n); err != nil {
				return err
			}
			if err := s.swap(ctx, n); err != nil {
				return err
			}
		}
	}
	for _, n := range s.o.Counts {
		s.out.Sets = append(s.out.Sets, s.best[n])
		s.out.Next = append(s.out.Next, s.costs.cheapest(n, nextSets))
	}
	return nil
}

// found notes a set, if it is better than what is known.
func (s *search) found(of costed, by string) bool {
	n := len(of.drop)
	if known, some := s.best[n]; some && float64(known.Cost) <= of.cost {
		return false
	}
	s.best[n] = avss.Set{Layers: of.drop.Layers(), Cost: avss.Value(of.cost), By: by, Per: s.o.per()}
	if s.o.Notice != nil {
		s.o.Notice(s.best[n])
	}
	return true
}

// all says whether all sets of so many layers are tried.
func (s *search) all(n int) bool { return s.o.Most > 0 && choose(len(s.free), n) <= float64(s.o.Most) }

// choose is how many sets of k there are of n, as near as float64 comes.
func choose(n, k int) float64 {
	sets := 1.0
	for i := range k {
		sets = sets * float64(n-i) / float64(i+1)
	}
	return math.Round(sets)
}

// exhaust tries all sets of n layers.
func (s *search) exhaust(ctx context.Context, n int) error {
	var sets []engine.Drop
	var pick func(from int, of []int)
	pick = func(from int, of []int) {
		if len(of) == n {
			sets = append(sets, engine.Layers(of...))
			return
		}
		for i := from; i < len(s.free); i++ {
			pick(i+1, append(slices.Clone(of), s.free[i]))
		}
	}
	pick(0, nil)
	best, err := s.costs.best(ctx, sets, 1, math.Inf(1))
	if err != nil {
		return err
	}
	s.found(best[0], "all sets")
	return nil
}

// beam takes one layer a round, going on with the best sets of each.
func (s *search) beam(ctx context.Context, most int) error {
	sets := []engine.Drop{nil}
	for range most {
		known := map[string]bool{}
		var next []engine.Drop
		for _, set := range sets {
			for _, l := range s.free {
				if u := (engine.Unit{Layer: l}); !set.Has(u) {
					wider := engine.Units(append(slices.Clone(set), u)...)
					if key := wider.String(); !known[key] {
						known[key] = true
						next = append(next, wider)
					}
				}
			}
		}
		best, err := s.costs.best(ctx, next, s.o.Beam, math.Inf(1))
		if err != nil {
			return err
		}
		sets = nil
		for _, b := range best {
			sets = append(sets, b.drop)
		}
		s.found(best[0], "beam")
	}
	return nil
}

// propose measures the sets of n layers that others name, all of them on all of the text: what their choice costs more than the best is worth
// knowing.
func (s *search) propose(ctx context.Context, n int) error {
	var sets []engine.Drop
	for _, p := range s.o.Proposals {
		if len(p) == n && p.Whole() && !slices.ContainsFunc(p.Layers(), func(l int) bool { return !slices.Contains(s.free, l) }) {
			sets = append(sets, p)
		}
	}
	measured, err := s.costs.best(ctx, sets, len(sets), math.Inf(1))
	if err != nil {
		return err
	}
	for _, m := range measured {
		s.out.Proposed = append(s.out.Proposed, avss.Set{Layers: m.drop.Layers(), Cost: avss.Value(m.cost), By: "proposal", Per: s.o.per()})
		s.found(m, "proposal")
	}
	return nil
}

// swap exchanges one layer of the best set of n for another until no exchange helps.
func (s *search) swap(ctx context.Context, n int) error {
	for !s.o.NoSwaps {
		set := engine.Layers(s.best[n].Layers...)
		var sets []engine.Drop
		for at := range set {
			rest := slices.Delete(slices.Clone(set), at, at+1)
			for _, l := range s.free {
				if u := (engine.Unit{Layer: l}); !set.Has(u) {
					sets = append(sets, engine.Units(append(slices.Clone(rest), u)...))
				}
			}
		}
		best, err := s.costs.best(ctx, sets, 1, float64(s.best[n].Cost))
		if err != nil {
			return err
		}
		if len(best) == 0 || !s.found(best[0], "swap") {
			return nil
		}
	}
	return nil
}

// foresee is the work of all rounds in layer applications, were all sets measured on all of the text, for the estimate of the time that is left.
func (s *search) foresee() (work float64) {
	far, layers := 0, s.costs.layers
	for _, n := range s.o.Counts {
		if s.all(n) {
			work += applications(layers, n, choose(len(s.free), n))
			continue
		}
		far = max(far, n)
		if !s.o.NoSwaps {
			work += applications(layers, n, float64(n*(len(s.free)-n))*swapRounds)
		}
	}
	for round := range far {
		width := s.o.Beam
		if round == 0 {
			width = 1
		}
		work += applications(layers, round+1, float64(width*(len(s.free)-round)))
	}
	return work
}
