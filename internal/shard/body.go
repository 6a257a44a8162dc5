package shard

// The body of a part: variants × sequences of scores, then the saved states of the observers. Whole numbers are varints, others float64 by
// their bits.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"avssnative/engine"
)

// body is what a pass came to for its sequences.
type body struct {
	outcome engine.Outcome
	states  [][]byte // one an observer
}

func (b *body) encode() []byte {
	var out []byte
	whole := func(n int64) { out = binary.AppendUvarint(out, uint64(n)) }
	number := func(v float64) { out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v)) }
	score := func(s engine.Score) {
		whole(int64(s.Tokens))
		number(s.LogLikelihood)
		whole(int64(s.Hits))
		number(s.KL)
		whole(int64(s.SameTop))
		number(s.Overlap)
	}
	o := &b.outcome
	for _, n := range []int64{int64(o.Blocks), int64(o.Alone), int64(o.Passes), o.Rows, o.WeightBytes, int64(len(o.Scores))} {
		whole(n)
	}
	for _, sequences := range o.Scores {
		whole(int64(len(sequences)))
		for _, s := range sequences {
			score(s.Score)
			whole(int64(len(s.Branches)))
			for _, branch := range s.Branches {
				score(branch)
			}
			whole(int64(len(s.Labels)))
			for _, label := range s.Labels {
				number(label)
			}
		}
	}
	whole(int64(len(b.states)))
	for _, state := range b.states {
		whole(int64(len(state)))
		out = append(out, state...)
	}
	return out
}

// cursor takes numbers off the front of some bytes. After its first failure everything is zero.
type cursor struct {
	data []byte
	err  error
}

func (c *cursor) fail(format string, arguments ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, arguments...)
	}
	c.data = nil
}

func (c *cursor) whole() int64 {
	v, n := binary.Uvarint(c.data)
	if n <= 0 || v > math.MaxInt64 {
		c.fail("no whole number where one is wanted")
		return 0
	}
	c.data = c.data[n:]
	return int64(v)
}

// count is a number of things that follow, each at least size bytes long.
func (c *cursor) count(size int) int {
	n := c.whole()
	if n > int64(len(c.data)/size) {
		c.fail("%d things in %d bytes", n, len(c.data))
		return 0
	}
	return int(n)
}

func (c *cursor) number() float64 {
	if len(c.data) < 8 {
		c.fail("truncated inside a number")
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(c.data))
	c.data = c.data[8:]
	return v
}

func (c *cursor) score() engine.Score {
	return engine.Score{Tokens: int(c.whole()), LogLikelihood: c.number(), Hits: int(c.whole()), KL: c.number(), SameTop: int(c.whole()),
		Overlap: c.number()}
}

// A score takes 27 bytes at least, and a sequence two more.
const (
	leastScore    = 27
	leastSequence = leastScore + 2
)

func decode(data []byte) (*body, error) {
	c := &cursor{data: data}
	b := &body{}
	o := &b.outcome
	o.Blocks, o.Alone, o.Passes, o.Rows, o.WeightBytes = int(c.whole()), int(c.whole()), int(c.whole()), c.whole(), c.whole()
	for range c.count(1) {
		var sequences []engine.SequenceScore
		for range c.count(leastSequence) {
			s := engine.SequenceScore{Score: c.score()}
			for range c.count(leastScore) {
				s.Branches = append(s.Branches, c.score())
			}
			for range c.count(8) {
				s.Labels = append(s.Labels, c.number())
			}
			if c.err != nil {
				return nil, c.err
			}
			sequences = append(sequences, s)
		}
		o.Scores = append(o.Scores, sequences)
	}
	for range c.count(1) {
		n := c.count(1)
		b.states = append(b.states, c.data[:n:n])
		c.data = c.data[n:]
	}
	if c.err == nil && len(c.data) > 0 {
		c.err = errors.New("bytes too many at its end")
	}
	return b, c.err
}
