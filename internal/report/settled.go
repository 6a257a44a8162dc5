package report

import (
	"fmt"
	"math"

	"avssnative/avss"
)

// Settled is how much text it took until the chosen set would not have been another.
type Settled struct {
	Metric  string         `json:"metric"`
	Level   float64        `json:"level"`   // probability of another set that was asked for
	Settled bool           `json:"settled"` // it was reached
	Blocks  []SettledBlock `json:"blocks"`  // one a look, each at all text so far
}

// SettledBlock is one look at the scores.
type SettledBlock struct {
	Tokens    int64 `json:"tokens"`
	Sequences int64 `json:"sequences"`
	Dropped   []int `json:"dropped"`
	// Probability that other text of this length names another set, by a bootstrap over sequences; null where there were too few. Low and High are how
	// far its draws may be off, with 95 % confidence.
	Probability avss.Value `json:"probability"`
	Low         avss.Value `json:"low"`
	High        avss.Value `json:"high"`
}

// Chance is the probability with its bounds.
func (b SettledBlock) Chance() string {
	if math.IsNaN(float64(b.Probability)) {
		return "nobody knows what, of so few sequences"
	}
	return fmt.Sprintf("%.1f %% (%.1f–%.1f)", 100*float64(b.Probability), 100*float64(b.Low), 100*float64(b.High))
}

// settledTable is what each look at the scores said.
func (r *Report) settledTable() (Table, bool) {
	if r.Settled == nil || len(r.Settled.Blocks) == 0 {
		return Table{}, false
	}
	t := Table{Title: "How much text settles the set", single: true}
	t.column("tokens", "tokens")
	t.column("sequences", "sequences")
	t.column("layers", "layers")
	t.column("probability", "another set", keptParts...)
	for _, b := range r.Settled.Blocks {
		t.add(Count(b.Tokens), Count(b.Sequences), units(b.Dropped, r.Unit, false), Kept{Share(b.Probability), &Span{b.Low, b.High}})
	}
	reached := "It was reached"
	if !r.Settled.Settled {
		reached = "It was not reached"
	}
	t.Note = fmt.Sprintf("Text was taken until the probability that other text of that length would name another set by %s is below "+
		"%.3g %%, upper bound included. %s. "+
		"Bootstrap over sequences; in brackets how far its draws may be off, with 95 %% confidence.",
		r.label(r.Settled.Metric), 100*r.Settled.Level, reached)
	return t, true
}

// settled refuses what no settling can be.
func (c *checker) settled(s *Settled, units int) {
	if s == nil {
		return
	}
	c.number(s.Level, 0, 1, "settled.level")
	c.length("settled.blocks", len(s.Blocks), maxRankings)
	for i, b := range s.Blocks {
		at := fmt.Sprintf("settled.blocks[%d]", i)
		c.count(b.Tokens, maxCount, at, "tokens")
		c.count(b.Sequences, maxCount, at, "sequences")
		c.layers(b.Dropped, units, at+".dropped")
		c.maybe(b.Probability, 0, 1, at, "probability")
		c.number(float64(b.Low), 0, 1, at, "low")
		c.number(float64(b.High), 0, 1, at, "high")
	}
}
