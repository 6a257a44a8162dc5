package engine

import (
	"context"
	"io"
)

// How several processes make one fit: each walks some of the text and leaves its sums of every step; who has the sums of all of them solves, and
// leaves what is solved, from which the others go on.

// Joint is what the processes leave for each other. Steps are numbered from 0 and come in that order; a fit may begin again.
type Joint interface {
	// Part is which of several processes this is. It walks its part of the text.
	Part() (index, count int)
	// Merges says that it walks nothing, and settles what the others have left.
	Merges() bool
	// Known is what a step has come to; nil: nobody has settled it.
	Known(step int) ([]byte, error)
	// Settle leaves this process's sums of a step, and settles it where those of all are there, or says in an error whose are missing.
	Settle(ctx context.Context, step int, s Settling) ([]byte, error)
}

// Settling is how the sums of a step are written, read and ended.
type Settling struct {
	Size   int64                                // of this process's sums, in bytes
	Write  func(to io.Writer) error             // writes them
	Read   func(part int, from io.Reader) error // adds a process's sums to those of the processes before it, which come first
	Finish func() ([]byte, error)               // solves from all of them
}

// settling is what it takes to settle a step.
func (f *fitter) settling(s *step) Settling {
	var total *sums
	var buffer []*Gram
	return Settling{
		Size:  s.size(f.own),
		Write: func(to io.Writer) error { return s.write(to, f.own) },
		Read: func(part int, from io.Reader) error {
			if part == 0 {
				total, buffer = s.sums(), s.grams()
			}
			_, count := f.fit.Joint.Part()
			r := newSumReader(from)
			for range ofPart(f.leaves, part, count) {
				if r.add(total, buffer); r.err != nil {
					return r.err
				}
			}
			return r.end()
		},
		Finish: func() ([]byte, error) {
			buffer = nil
			got, err := s.finish(total)
			if err != nil {
				return nil, err
			}
			return got.encode(f.fit.State)
		},
	}
}
