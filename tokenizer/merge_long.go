// Merging a word too long for the usual way, say 60 MB of one letter: four bytes a symbol and few candidates at a time.
//
// Tokens lie in one array. A token of n symbols stands in the place of its first; the places behind it are dead, and the second and
// the last of them hold n, so that both neighbours are found. Candidates are taken in rounds: of those above the last round's highest
// key, the smallest few are gathered; while they are merged, new candidates up to that key join them, and higher ones are left for a
// later round to find. So the merges come in the same order as by one heap of all candidates.

package tokenizer

import (
	"math"
	"slices"
)

// A dead place holds deadPlace plus the length of the token it belongs to; every id is above.
const deadPlace = math.MinInt32

func isDead(slot int32) bool { return slot < deadPlace/2 }

// length is the number of symbols of the token at i.
func (w *workspace) length(i int) int {
	if i+1 < len(w.symbols) && isDead(w.symbols[i+1]) {
		return int(w.symbols[i+1] - deadPlace)
	}
	return 1
}

// before is where the token in front of i begins, -1 where there is none.
func (w *workspace) before(i int) int {
	if i > 0 && isDead(w.symbols[i-1]) {
		return i - int(w.symbols[i-1]-deadPlace)
	}
	return i - 1
}

// candidateAt is the key of the pair that begins at i.
func (w *workspace) candidateAt(merges *mergeTable, i int) (key uint64, id int32, ok bool) {
	next := i + w.length(i)
	if next >= len(w.symbols) {
		return 0, 0, false
	}
	m, ok := merges.get(w.symbols[i], w.symbols[next])
	return candidate(m, int32(i)), m.id, ok
}

// mergeLong is merge; no round gathers more than most candidates.
func (w *workspace) mergeLong(c *call, merges *mergeTable, most int) {
	for round, more := uint64(0), true; more; {
		round, more = w.gather(c, merges, round, most)
		for len(w.heap) > 0 {
			if c.ended(1 << 6) {
				return
			}
			top := w.pop()
			i := int(uint32(top))
			if isDead(w.symbols[i]) {
				continue
			}
			key, id, ok := w.candidateAt(merges, i)
			if !ok || key != top {
				continue
			}
			w.join(i, id)
			w.proposeUpTo(merges, i, round)
			if before := w.before(i); before >= 0 {
				w.proposeUpTo(merges, before, round)
			}
		}
	}
	kept := 0
	for i := 0; i < len(w.symbols); kept++ {
		n := w.length(i)
		w.keep(kept, i, w.symbols[i])
		i += n
	}
	w.end(kept)
}

// join makes the token at i and the one behind it one.
func (w *workspace) join(i int, id int32) {
	n := w.length(i)
	next := i + n
	n += w.length(next)
	w.symbols[next] = deadPlace
	w.symbols[i], w.symbols[i+1], w.symbols[i+n-1] = id, deadPlace+int32(n), deadPlace+int32(n)
}

func (w *workspace) proposeUpTo(merges *mergeTable, i int, highest uint64) {
	if key, _, ok := w.candidateAt(merges, i); ok && key <= highest {
		w.push(key)
	}
}

// gather fills the heap with the smallest candidates from lowest on, and returns the highest key up to which it holds all of them, and
// whether there may be others beyond.
func (w *workspace) gather(c *call, merges *mergeTable, lowest uint64, most int) (highest uint64, more bool) {
	if cap(w.heap) < 2*most {
		w.heap = make([]uint64, 0, 2*most)
	}
	if highest, found := w.gatherRank(c, merges, lowest, most); found {
		return highest, true
	}
	found := w.heap[:0]
	highest = math.MaxUint64
	shrink := func() {
		if slices.Sort(found); len(found) > most {
			found, highest, more = found[:most], found[most-1], true
		}
	}
	for i := 0; i < len(w.symbols) && !c.ended(1<<2); i += w.length(i) {
		key, _, ok := w.candidateAt(merges, i)
		if !ok || key < lowest || key > highest {
			continue
		}
		if found = append(found, key); len(found) == 2*most {
			shrink()
		}
	}
	shrink()
	w.heap = found // a sorted list is a heap
	return highest, more
}

// gatherRank looks only for candidates of lowest's own rank, which lie behind it and come before all others; so a text in which one pair
// stands millions of times is gone through once, not once a round.
func (w *workspace) gatherRank(c *call, merges *mergeTable, lowest uint64, most int) (highest uint64, found bool) {
	w.heap = w.heap[:0]
	i := int(uint32(lowest))
	for i < len(w.symbols) && isDead(w.symbols[i]) {
		i++
	}
	for ; i < len(w.symbols) && len(w.heap) < most && !c.ended(1<<2); i += w.length(i) {
		if key, _, ok := w.candidateAt(merges, i); ok && key>>32 == lowest>>32 && key >= lowest {
			w.heap = append(w.heap, key)
		}
	}
	if len(w.heap) < most { // all there are
		return lowest | math.MaxUint32, len(w.heap) > 0
	}
	return w.heap[most-1], true
}
