package engine

import (
	"fmt"

	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// packing says how a pass's sequences lie in the rows of a hidden tensor. Each prompt group (a sequence and its branches) has neighbouring
// rows; groups of which something is scored come first, because those that are only measured are walked by the first variant alone.
type packing struct {
	groups       []promptGroup
	rows         int // all rows
	scored       int // rows of the groups of which something is scored
	scoredGroups int // number of those groups
}

// promptGroup is where one sequence's rows lie: its own, then those of its branches. A branch's last token predicts nothing, so it has no row.
type promptGroup struct {
	sequence int // index in Pass.Sequences
	start    int
	rows     int
	layout   device.Layout // rows counted from start
	ids      []int32
}

func pack(sequences []Sequence, spec *arch.Spec) (*packing, error) {
	p := &packing{}
	classifier := spec.Head.Classify != nil
	for _, scored := range []bool{true, false} {
		for i, s := range sequences {
			if (s.ScoreTo > 0 || len(s.Branches) > 0 || classifier) != scored {
				continue
			}
			if classifier && (s.ScoreTo > 0 || len(s.Branches) > 0) {
				return nil, fmt.Errorf("engine: sequence %d: a classifier scores labels, not tokens", i)
			}
			if err := s.check(spec.Vocab, spec.Context); err != nil {
				return nil, fmt.Errorf("engine: sequence %d: %w", i, err)
			}
			f := promptGroup{sequence: i, start: p.rows, ids: append([]int32{}, s.IDs...)}
			f.layout.Start = []int32{0, int32(len(s.IDs))}
			f.layout.Prefix = []int32{-1}
			for _, branch := range s.Branches {
				if len(branch) > 1 {
					f.ids = append(f.ids, branch[:len(branch)-1]...)
					f.layout.Start = append(f.layout.Start, int32(len(f.ids)))
					f.layout.Prefix = append(f.layout.Prefix, 0)
				}
			}
			f.rows = len(f.ids)
			p.rows += f.rows
			p.groups = append(p.groups, f)
		}
		if scored {
			p.scored, p.scoredGroups = p.rows, len(p.groups)
		}
	}
	if p.rows == 0 {
		return nil, fmt.Errorf("engine: the pass has no sequences")
	}
	if p.rows > 1<<30 {
		return nil, fmt.Errorf("engine: %d token rows in one pass; at most 2^30, so pass fewer sequences at a time", p.rows)
	}
	return p, nil
}

func (s Sequence) check(vocab, context int) error {
	if len(s.IDs) == 0 {
		return fmt.Errorf("no tokens")
	}
	if s.ScoreTo < 0 || s.ScoreTo > len(s.IDs) || s.ScoreTo > 0 && (s.ScoreFrom < 1 || s.ScoreFrom > s.ScoreTo) {
		return fmt.Errorf("scored tokens %d to %d of %d; the first token cannot be scored", s.ScoreFrom, s.ScoreTo, len(s.IDs))
	}
	longest := len(s.IDs)
	runs := append([][]int32{s.IDs}, s.Branches...)
	for i, run := range runs {
		for at, id := range run {
			if id < 0 || int(id) >= vocab {
				return fmt.Errorf("token id %d at position %d: the vocabulary has ids 0 to %d", id, at, vocab-1)
			}
		}
		if i > 0 {
			if len(run) == 0 {
				return fmt.Errorf("branch %d has no tokens", i-1)
			}
			longest = max(longest, len(s.IDs)+len(run)-1)
		}
	}
	if context > 0 && longest > context {
		return fmt.Errorf("%d tokens: the model has positions for %d", longest, context)
	}
	return nil
}

// batch is a run of rows that a block computes together: whole groups of one or more states.
type batch struct {
	spans     []span
	rows      int
	layout    *device.Layout
	positions []int32
}

// span is a run of neighbouring groups of one state.
type span struct {
	state       int
	first, last int // groups [first, last)
	start, rows int // rows in the state's tensor
}

// batches makes runs of about `most` rows: the first groups[i] prompt groups of every state i.
func (p *packing) batches(groups []int, most int) []batch {
	spans := make([]span, len(groups))
	for state, count := range groups {
		spans[state] = span{state: state, last: count}
	}
	return p.divide(batch{spans: spans}, most)
}

// divide parts a batch into smaller ones of about `most` rows, in the same order.
func (p *packing) divide(whole batch, most int) []batch {
	var all []batch
	var b batch
	finish := func() {
		if len(b.spans) > 0 {
			b.layout = p.join(b.spans)
			b.positions = b.layout.Positions()
			all = append(all, b)
		}
		b = batch{}
	}
	for _, s := range whole.spans {
		for i := s.first; i < s.last; i++ {
			f := &p.groups[i]
			if b.rows > 0 && b.rows+f.rows > most {
				finish()
			}
			if n := len(b.spans); n > 0 && b.spans[n-1].state == s.state && b.spans[n-1].last == i {
				b.spans[n-1].last++
				b.spans[n-1].rows += f.rows
			} else {
				b.spans = append(b.spans, span{state: s.state, first: i, last: i + 1, start: f.start, rows: f.rows})
			}
			b.rows += f.rows
		}
	}
	finish()
	return all
}

// join is the layout of spans stacked one below the other.
func (p *packing) join(spans []span) *device.Layout {
	l := &device.Layout{Start: []int32{0}}
	row := int32(0)
	for _, s := range spans {
		for i := s.first; i < s.last; i++ {
			f := &p.groups[i]
			base := int32(len(l.Start) - 1)
			for j := range f.layout.Sequences() {
				l.Start = append(l.Start, row+f.layout.Start[j+1])
				prefix := f.layout.Prefix[j]
				if prefix >= 0 {
					prefix += base
				}
				l.Prefix = append(l.Prefix, prefix)
			}
			row += int32(f.rows)
		}
	}
	return l
}
