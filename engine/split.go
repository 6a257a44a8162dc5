package engine

import (
	"context"
	"slices"
	"sync"

	"avssnative/engine/device"

	"golang.org/x/sync/errgroup"
)

// runSplit shares a pass's sequences out among the model's devices. Every device walks all layers with its part; what observers are to see is
// kept until all have ended and shown then, in the order a single device shows it. Devices of one kind give the same bits together as alone.
func (m *Model) runSplit(ctx context.Context, p Pass) (*Outcome, error) {
	parts := shares(p.Sequences, len(m.devices))
	outcomes := make([]*Outcome, len(parts))
	recorders := make([]*recorder, len(parts))
	meter := newMeter(p.Progress, len(parts))
	group, ctx := errgroup.WithContext(ctx)
	for i, part := range parts {
		own, seen := p.part(part)
		recorders[i], own.Progress = seen, meter.part(i)
		group.Go(func() (err error) {
			outcomes[i], err = m.runOn(ctx, m.devices[i], own)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if err := replay(recorders, p.Observe); err != nil {
		return nil, err
	}
	return join(parts, outcomes, len(p.Sequences)), nil
}

// runInTurns walks parts of a pass's sequences one after the other on one device, as runSplit does side by side on several.
func (m *Model) runInTurns(ctx context.Context, d device.Device, p Pass, c cut, turns [][]int) (*Outcome, error) {
	outcomes := make([]*Outcome, len(turns))
	recorders := make([]*recorder, len(turns))
	meter := turnMeter{show: p.Progress, turns: len(turns)}
	for i, part := range turns {
		own, seen := p.part(part)
		recorders[i], own.Progress = seen, meter.part(i)
		variants, which, err := distinct(own, m.Layers())
		if err != nil {
			return nil, err
		}
		packed, err := pack(own.Sequences, m.Spec)
		if err != nil {
			return nil, err
		}
		if outcomes[i], err = m.walked(ctx, d, own, c, packed, variants, which); err != nil {
			return nil, err
		}
	}
	if err := replay(recorders, p.Observe); err != nil {
		return nil, err
	}
	all := join(turns, outcomes, len(p.Sequences))
	all.Passes = 0
	for _, o := range outcomes {
		all.Passes += o.Passes
	}
	return all, nil
}

// part is the pass over some of its sequences, and what keeps for its observers what they are to see; nil where nobody looks.
func (p Pass) part(of []int) (own Pass, seen *recorder) {
	own = p
	own.Sequences, own.Known = nil, nil
	for _, s := range of {
		own.Sequences = append(own.Sequences, p.Sequences[s])
		if p.Known != nil {
			own.Known = append(own.Known, p.Known[s])
		}
	}
	if len(p.Observe) > 0 {
		seen = &recorder{wants: wanted(p.Observe), part: of}
		own.Observe = []Observer{seen}
	}
	return own, seen
}

// turnMeter tells of turns as of one walk: all are taken to be as long as the one that is walked.
type turnMeter struct {
	show  func(Step)
	turns int
	rows  int64 // of the turns that have ended
	last  int64
}

// part is the progress function of one turn; nil where nobody looks.
func (t *turnMeter) part(turn int) func(Step) {
	if t.show == nil {
		return nil
	}
	t.rows += t.last
	t.last = 0
	return func(s Step) {
		t.last = s.Rows
		s.Done, s.Total, s.Rows = s.Done+float64(turn)*s.Total, float64(t.turns)*s.Total, t.rows+s.Rows
		t.show(s)
	}
}

// shares deals sequences out so that the parts have about the same number of tokens: the longest first, each to the part with the least.
func shares(sequences []Sequence, parts int) [][]int {
	parts = min(parts, len(sequences))
	order := make([]int, len(sequences))
	tokens := make([]int, len(sequences))
	for i, s := range sequences {
		order[i] = i
		tokens[i] = len(s.IDs)
		for _, branch := range s.Branches {
			tokens[i] += len(branch)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return tokens[b] - tokens[a] })
	dealt, load := make([][]int, parts), make([]int, parts)
	for _, s := range order {
		least := slices.Index(load, slices.Min(load))
		dealt[least] = append(dealt[least], s)
		load[least] += tokens[s]
	}
	for _, part := range dealt {
		slices.Sort(part)
	}
	return dealt
}

// join puts the parts' scores back into the order of the sequences.
func join(parts [][]int, outcomes []*Outcome, sequences int) *Outcome {
	all := &Outcome{Blocks: outcomes[0].Blocks, Alone: outcomes[0].Alone}
	for range outcomes[0].Scores {
		all.Scores = append(all.Scores, make([]SequenceScore, sequences))
	}
	for i, o := range outcomes {
		for v := range o.Scores {
			for k, s := range parts[i] {
				all.Scores[v][s] = o.Scores[v][k]
			}
		}
		all.Passes = max(all.Passes, o.Passes)
		all.Rows += o.Rows
		all.WeightBytes += o.WeightBytes
	}
	return all
}

// recorder keeps what a part's observers would have been shown.
type recorder struct {
	wants Wants
	part  []int
	seen  []Measurement
}

func (r *recorder) Wants() Wants { return r.wants }

func (r *recorder) Observe(m *Measurement) error {
	kept := *m
	kept.Sequence = r.part[m.Sequence]
	kept.Input, kept.Output = slices.Clone(m.Input), slices.Clone(m.Output)
	r.seen = append(r.seen, kept)
	return nil
}

// replay shows everything recorded to the observers, layer by layer, within a layer sequence by sequence.
func replay(recorders []*recorder, observers []Observer) error {
	var all []Measurement
	for _, r := range recorders {
		if r != nil {
			all = append(all, r.seen...)
		}
	}
	slices.SortFunc(all, func(a, b Measurement) int {
		if a.Layer != b.Layer {
			return a.Layer - b.Layer
		}
		return a.Sequence - b.Sequence
	})
	for i := range all {
		for _, o := range observers {
			if err := o.Observe(&all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// meter adds up the steps of several walks.
type meter struct {
	lock  sync.Mutex
	show  func(Step)
	steps []Step
}

func newMeter(show func(Step), parts int) *meter {
	return &meter{show: show, steps: make([]Step, parts)}
}

// part is the progress function of one walk; nil where nobody looks.
func (m *meter) part(i int) func(Step) {
	if m.show == nil {
		return nil
	}
	return func(s Step) {
		m.lock.Lock()
		defer m.lock.Unlock()
		m.steps[i] = s
		sum := Step{Layer: s.Layer, Layers: s.Layers}
		for _, step := range m.steps {
			sum.Layer = min(sum.Layer, step.Layer)
			sum.Done += step.Done
			sum.Total += step.Total
			sum.Rows += step.Rows
		}
		m.show(sum)
	}
}
