// Package shard takes a job apart by sequences, so that many machines do it and none knows of the others. Everything that a job finds out from
// a model comes from its passes, so a shard is the same job whose passes walk one part of the sequences each and leave what they came to in a
// folder. Whoever does the job again over such a folder, and computes nothing, has merged it: the parts' scores stand side by side, the
// accumulators of the metrics add up exactly, and all that follows is what a single run does.
//
// A pass may depend on the results of another one: what to judge on scores, the second round of a search on the first. A shard whose next pass
// cannot be known yet ends there, and is run again when the parts it lacks have come.
package shard

import (
	"fmt"
	"strconv"
	"strings"

	"avssnative/engine"
)

// maxShards bounds what is believed of a file.
const maxShards = 1 << 20

// Part is one of several parts of a job, counted from 0. The zero value is the whole job as its only part.
type Part struct{ Index, Count int }

// ParsePart reads i/n.
func ParsePart(text string) (Part, error) {
	index, count, ok := strings.Cut(text, "/")
	i, wrong := strconv.Atoi(index)
	n, wrongToo := strconv.Atoi(count)
	if !ok || wrong != nil || wrongToo != nil || n < 1 || n > maxShards || i < 0 || i >= n {
		return Part{}, fmt.Errorf("shard %q: want i/n, as 0/4 for the first of four", text)
	}
	return Part{i, n}, nil
}

// String is i/n.
func (p Part) String() string { return fmt.Sprintf("%d/%d", p.Index, p.count()) }

func (p Part) count() int { return max(1, p.Count) }

// Of gives the part's run of some sequences, first to before end. The parts follow each other and have about the same number of tokens; where
// there are more parts than sequences some are empty.
func (p Part) Of(sequences []engine.Sequence) (first, end int) {
	// A sequence belongs to the part in which its middle token lies.
	var all int64
	for i := range sequences {
		all += tokens(&sequences[i])
	}
	n := int64(p.count())
	bound := func(part int64) int {
		var before int64
		for i := range sequences {
			own := tokens(&sequences[i])
			if (2*before+own)*n >= 2*all*part {
				return i
			}
			before += own
		}
		return len(sequences)
	}
	return bound(int64(p.Index)), bound(int64(p.Index) + 1)
}

// cell is a part's share of a pass: a run of the sequences and a run of the variants.
type cell struct{ first, end, from, to int }

// cell is the part's share of a pass. Where nothing is compared but variants, and there are more parts than sequences, several parts share a sequence
// and have a run of the variants each; else a part has all variants of its sequences.
func (p Part) cell(sequences []engine.Sequence, variants int, compared bool) cell {
	n, all := p.count(), len(sequences)
	if !compared || variants < 2 || all == 0 || n <= all {
		first, end := p.Of(sequences)
		return cell{first, end, 0, variants}
	}
	own := 0 // of sequence s are the parts from s·n/all on
	for (own+1)*n/all <= p.Index {
		own++
	}
	begin, end := own*n/all, (own+1)*n/all
	bound := func(part int) int { return (variants*(part-begin) + end - begin - 1) / (end - begin) } // up: the first part has some
	return cell{own, own + 1, bound(p.Index), bound(p.Index + 1)}
}

// tokens of a sequence, its branches counted.
func tokens(s *engine.Sequence) int64 {
	n := len(s.IDs)
	for _, branch := range s.Branches {
		n += len(branch)
	}
	return int64(n)
}
