// A call of Encode or Decode: what it has written, what it may still cost, and whether its caller has given up. Everything that a
// file's rules can make large or long asks here.

package tokenizer

import (
	"context"
	"errors"
	"math"
	"slices"
)

const (
	idsPerList  = 1 << 20
	workPerLook = 1 << 16 // bytes handled between two looks at the context: well below a millisecond for the plain loops
	growth      = 16      // how much longer than its text what the rules make of it may be; the longest decomposition of Unicode is 11
	growthBase  = 1 << 16 // bytes that any text may grow to
	growthMost  = 1 << 28 // bytes beyond which text may only grow fourfold
	longestText = math.MaxInt32 / 8
)

// call holds the state of one call.
type call struct {
	ctx     context.Context
	ids     []int32
	aside   [][]int32 // ids that came before: so many are never copied to make room for more
	extents []extent  // of each id, where track is set
	track   bool
	enough  int   // ids that the caller wants; 0: all
	work    int   // bytes since the last look at ctx
	limit   int   // bytes that any rewriting of the current text may have
	err     error // the first failure; nothing that is written after it counts
}

// An extent is a stretch of the text, in bytes.
type extent struct{ start, end int32 }

// bounds sets the limit for a text of n bytes.
func (c *call) bounds(n int) { c.limit = min(growth*n+growthBase, max(growthMost, 4*n)) }

// fail keeps the first error.
func (c *call) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// ended counts bytes of work and reports whether the call has failed or its caller has given up.
func (c *call) ended(work int) bool {
	if c.work += work; c.work < workPerLook {
		return c.err != nil
	}
	return c.look()
}

func (c *call) look() bool {
	c.work = 0
	if err := c.ctx.Err(); err != nil {
		c.fail(err)
	}
	return c.err != nil
}

// add appends an id that stands for p.text[start:end].
func (c *call) add(id int32, p piece, start, end int) {
	c.ids = append(c.ids, id)
	if c.track {
		c.extents = append(c.extents, p.extent(start, end))
	}
}

// errEnough ends a call that has the ids its caller wants.
var errEnough = errors.New("enough")

// beginWord is called before a word's first id: what stands there by then is not taken back.
func (c *call) beginWord() {
	if c.enough > 0 {
		have := len(c.ids)
		for _, list := range c.aside {
			have += len(list)
		}
		if have >= c.enough {
			c.fail(errEnough)
		}
	}
	c.setAside(idsPerList)
}

// setAside begins a new list of ids where there are more than enough in the present one.
func (c *call) setAside(enough int) {
	if len(c.ids) > enough && !c.track {
		c.beginList()
	}
}

func (c *call) beginList() {
	c.aside = append(c.aside, c.ids)
	c.ids = make([]int32, 0, longWord)
}

// all returns the ids of the whole call.
func (c *call) all() []int32 {
	if len(c.aside) == 0 {
		return c.ids
	}
	return slices.Concat(append(c.aside, c.ids)...)
}

// addAt appends an id that stands for a stretch of the text itself.
func (c *call) addAt(id int32, start, end int) {
	c.ids = append(c.ids, id)
	if c.track {
		c.extents = append(c.extents, extent{int32(start), int32(end)})
	}
}

// A piece is a stretch of text; first tells that it begins where the whole text begins, origins where each of its bytes comes from
// (nil: nobody asks).
type piece struct {
	text    string
	first   bool
	origins []extent
}

// cut is the part of p from start to end.
func (p piece) cut(start, end int) piece {
	q := piece{text: p.text[start:end], first: p.first && start == 0}
	if p.origins != nil {
		q.origins = p.origins[start:end]
	}
	return q
}

// extent is what the bytes from start to end come from; bytes that a rule has put in come from nothing.
func (p piece) extent(start, end int) extent {
	from := p.origins[start:end]
	for len(from) > 1 && from[0].start == from[0].end {
		from = from[1:]
	}
	for len(from) > 1 && from[len(from)-1].start == from[len(from)-1].end {
		from = from[:len(from)-1]
	}
	switch {
	case len(from) > 0:
		return extent{from[0].start, from[len(from)-1].end}
	case start < len(p.origins):
		return extent{p.origins[start].start, p.origins[start].start}
	case start > 0:
		return extent{p.origins[start-1].end, p.origins[start-1].end}
	}
	return extent{}
}
