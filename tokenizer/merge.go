// The merging of one word: its tokens in a linked list, its candidate pairs in a heap.

package tokenizer

import "sync"

// A workspace holds one word while its pairs are merged.
type workspace struct {
	symbols []int32 // the word's characters, then what has become of them
	starts  []int32 // where each of them begins, in bytes of the word, if asked for
	located bool
	nodes   []node
	heap    []uint64 // candidates, each rank<<32 | position of the left token: four children a node, the smallest on top
}

// A node is a token of the word, linked to its neighbours; id -1: merged into the one before.
type node struct{ previous, next, id int32 }

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

const longWord = 1 << 16 // symbols; a longer word is merged in less memory, and its memory is given back

// begin makes the workspace ready for a word of at most n symbols.
func (w *workspace) begin(n int, located bool) {
	if cap(w.symbols) > longWord {
		*w = workspace{}
	}
	if n > longWord {
		w.symbols = make([]int32, 0, n)
	}
	w.symbols, w.starts, w.heap, w.located = w.symbols[:0], w.starts[:0], w.heap[:0], located
}

func (w *workspace) add(id int32, start int) {
	w.symbols = append(w.symbols, id)
	if w.located {
		w.starts = append(w.starts, int32(start))
	}
}

// merge merges what can be merged; symbols and starts then are those of the tokens that are left.
func (w *workspace) merge(c *call, merges *mergeTable) {
	if len(w.symbols) > longWord {
		w.mergeLong(c, merges, max(longWord, len(w.symbols)/32))
		return
	}
	if len(w.symbols) < 2 {
		return
	}
	w.nodes = w.nodes[:0]
	for i, id := range w.symbols {
		at := int32(i)
		w.nodes = append(w.nodes, node{at - 1, at + 1, id})
	}
	w.nodes[len(w.nodes)-1].next = -1
	for i := 1; i < len(w.nodes); i++ {
		if m, ok := merges.get(w.nodes[i-1].id, w.nodes[i].id); ok {
			w.heap = append(w.heap, candidate(m, int32(i-1)))
		}
	}
	w.order()
	for len(w.heap) > 0 {
		top := w.pop()
		at := int32(uint32(top))
		left := &w.nodes[at]
		if left.id == -1 || left.next < 0 {
			continue
		}
		right := &w.nodes[left.next]
		m, ok := merges.get(left.id, right.id)
		if !ok || candidate(m, at) != top {
			continue // one of the two has changed since
		}
		left.id, left.next = m.id, right.next
		right.id = -1
		if left.next >= 0 {
			w.nodes[left.next].previous = at
			w.propose(merges, at)
		}
		if left.previous >= 0 {
			w.propose(merges, left.previous)
		}
	}
	kept := 0
	for i := int32(0); i >= 0; i = w.nodes[i].next {
		w.keep(kept, int(i), w.nodes[i].id)
		kept++
	}
	w.end(kept)
}

// keep makes the token id that begins at symbol i the kept-th of what is left.
func (w *workspace) keep(kept, i int, id int32) {
	w.symbols[kept] = id
	if w.located {
		w.starts[kept] = w.starts[i]
	}
}

func (w *workspace) end(kept int) {
	w.symbols = w.symbols[:kept]
	if w.located {
		w.starts = w.starts[:kept]
	}
}

// take appends the tokens of a word, a long one's without a copy.
func (c *call) take(w *workspace) {
	if len(w.symbols) > longWord {
		c.setAside(0)
		c.ids, w.symbols = w.symbols, nil
		return
	}
	c.ids = append(c.ids, w.symbols...)
}

// until is where the k-th token ends in a word of n bytes: where the next begins.
func (w *workspace) until(k, n int) int {
	if k+1 < len(w.starts) {
		return int(w.starts[k+1])
	}
	return n
}

// order makes a heap of the candidates.
func (w *workspace) order() {
	for i := (len(w.heap) - 2) / 4; i >= 0 && len(w.heap) > 1; i-- {
		w.sink(i)
	}
}

func candidate(m merge, at int32) uint64 { return uint64(uint32(m.rank))<<32 | uint64(uint32(at)) }

// propose puts the pair that begins at node at, which has a right neighbour, into the heap if it has a merge.
func (w *workspace) propose(merges *mergeTable, at int32) {
	m, ok := merges.get(w.nodes[at].id, w.nodes[w.nodes[at].next].id)
	if !ok {
		return
	}
	w.push(candidate(m, at))
}

func (w *workspace) push(key uint64) {
	i := len(w.heap)
	w.heap = append(w.heap, key)
	for i > 0 {
		parent := (i - 1) / 4
		if w.heap[parent] <= key {
			break
		}
		w.heap[i] = w.heap[parent]
		i = parent
	}
	w.heap[i] = key
}

func (w *workspace) pop() uint64 {
	top := w.heap[0]
	n := len(w.heap) - 1
	w.heap[0] = w.heap[n]
	w.heap = w.heap[:n]
	if n > 1 {
		w.sink(0)
	}
	return top
}

// sink moves the candidate at i down to its place.
func (w *workspace) sink(i int) {
	key := w.heap[i]
	for {
		first := 4*i + 1
		if first >= len(w.heap) {
			break
		}
		least := first
		for child := first + 1; child < min(first+4, len(w.heap)); child++ {
			if w.heap[child] < w.heap[least] {
				least = child
			}
		}
		if w.heap[least] >= key {
			break
		}
		w.heap[i] = w.heap[least]
		i = least
	}
	w.heap[i] = key
}
