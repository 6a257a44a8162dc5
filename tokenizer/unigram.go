// Unigram language model (Kudo 2018): of all ways to cut a text into pieces, the one whose scores sum highest, by Viterbi over the
// byte positions. A character that no piece covers costs the lowest score less 10; neighbours of that kind become one unknown.

package tokenizer

import (
	"math"
	"math/bits"
	"slices"
	"sync"
	"unicode/utf8"
)

const unknownPenalty = 10

type unigram struct {
	ids          map[string]int32
	trie         *byteTrie
	score        []float64 // by id
	lowest       float64
	unknown      int32 // -1: none
	bytes        [256]int32
	byteFallback bool
	single       bool // sums are rounded to float32, as SentencePiece does
}

// byteTrie finds every piece that begins at a position.
type byteTrie struct {
	edges map[uint64]int32 // node<<8 | byte → node
	first [256]int32       // the edges of the root; 0: none
	final []int32          // by node: id, or -1
	reach int              // bytes of the longest piece
}

func newByteTrie() *byteTrie { return &byteTrie{edges: map[uint64]int32{}, final: []int32{-1}} }

func (t *byteTrie) insert(text string, id int32) {
	node := int32(0)
	for i := 0; i < len(text); i++ {
		child := t.step(node, text[i])
		if child == 0 {
			child = int32(len(t.final))
			t.final = append(t.final, -1)
			if node == 0 {
				t.first[text[i]] = child
			} else {
				t.edges[uint64(node)<<8|uint64(text[i])] = child
			}
		}
		node = child
	}
	t.final[node] = id
	t.reach = max(t.reach, len(text))
}

func (t *byteTrie) step(node int32, b byte) int32 {
	if node == 0 {
		return t.first[b]
	}
	return t.edges[uint64(node)<<8|uint64(b)]
}

// A scoredPiece is one entry of a Unigram vocabulary, its place being its id.
type scoredPiece struct {
	text  string
	score float64
}

func newUnigram(pieces []scoredPiece, vocab *vocabulary, unknown int32, byteFallback bool) *unigram {
	m := &unigram{ids: vocab.ids, trie: newByteTrie(), score: make([]float64, len(pieces)), lowest: math.Inf(1), unknown: unknown,
		bytes: byteTokens(vocab), byteFallback: byteFallback}
	for id, p := range pieces {
		m.score[id] = p.score
		m.lowest = min(m.lowest, p.score)
		if p.text != "" {
			m.trie.insert(p.text, int32(id))
		}
	}
	return m
}

var errUnknownToken = kindf(ErrText, "model: the text holds what no token covers, and the vocabulary has no unknown token")

// A lattice holds, for each byte position of a text, the best way that ends there: its last piece and that piece's length. The scores
// of the ways are kept only as far ahead as a piece can reach.
type lattice struct {
	ids     []int32
	lengths []uint16 // 0: no way ends here
	scores  []float64
}

var lattices = sync.Pool{New: func() any { return new(lattice) }}

// begin makes the lattice ready for a text of n bytes and pieces of at most reach. A long text's memory is given back.
func (l *lattice) begin(n, reach int) {
	if cap(l.ids) > longWord {
		*l = lattice{}
	}
	window := 1 << bits.Len(uint(min(n, reach+utf8.UTFMax)))
	l.ids, l.lengths, l.scores = sized(l.ids, n+1), sized(l.lengths, n+1), sized(l.scores, window)
	clear(l.lengths)
}

// sized is list, or a new one, with n elements.
func sized[T any](list []T, n int) []T {
	if cap(list) < n {
		return make([]T, n)
	}
	return list[:n]
}

func (l *lattice) score(at int) float64 { return l.scores[at&(len(l.scores)-1)] }

// arrive offers a way to `at` whose last piece has n bytes.
func (l *lattice) arrive(at, n int, id int32, score float64) {
	if l.lengths[at] != 0 && score <= l.score(at) {
		return
	}
	l.ids[at], l.lengths[at], l.scores[at&(len(l.scores)-1)] = id, uint16(n), score
}

// reverse turns the best way to the end round: afterwards each position of it holds the piece that begins there.
func (l *lattice) reverse() {
	end := len(l.ids) - 1
	id, n := l.ids[end], l.lengths[end]
	for end > 0 {
		start := end - int(n)
		id, l.ids[start] = l.ids[start], id
		n, l.lengths[start] = l.lengths[start], n
		end = start
	}
}

func (m *unigram) encode(c *call, word piece) {
	text := word.text
	l := lattices.Get().(*lattice)
	defer lattices.Put(l)
	l.begin(len(text), m.trie.reach)
	penalty := m.lowest - unknownPenalty
	if m.single {
		penalty = float64(float32(m.lowest) - unknownPenalty)
	}
	for i := 0; i < len(text); {
		_, width := utf8.DecodeRuneInString(text[i:])
		here, covered := l.score(i), false
		if i == 0 {
			here = 0
		}
		node := int32(0)
		for j := i; j < len(text); j++ {
			if node = m.trie.step(node, text[j]); node == 0 {
				break
			}
			c.work++
			if id := m.trie.final[node]; id >= 0 {
				l.arrive(j+1, j+1-i, id, m.sum(m.score[id], here))
				covered = covered || j+1-i == width
			}
		}
		if !covered {
			if m.unknown < 0 {
				c.fail(errUnknownToken)
				return
			}
			l.arrive(i+width, width, m.unknown, m.sum(penalty, here))
		}
		if c.ended(width) {
			return
		}
		i += width
	}
	l.reverse()
	m.collect(c, word, l)
}

func (m *unigram) sum(a, b float64) float64 {
	if m.single {
		return float64(float32(a + b))
	}
	return a + b
}

// collect appends the pieces of the best way in order. A run of unknown pieces is looked up as one.
func (m *unigram) collect(c *call, word piece, l *lattice) {
	n := len(word.text)
	if n > longWord {
		pieces := 0
		for at := 0; at < n; at += int(l.lengths[at]) {
			pieces++
		}
		c.setAside(0)
		c.ids = slices.Grow(c.ids, pieces)
	}
	for start := 0; start < n; {
		id, end := l.ids[start], start+int(l.lengths[start])
		if id != m.unknown {
			c.add(id, word, start, end)
			start = end
			continue
		}
		for end < n && l.ids[end] == m.unknown {
			end += int(l.lengths[end])
		}
		m.addUnknown(c, word, start, end)
		start = end
	}
}

// addUnknown appends the token of an uncovered stretch, should there be one after all, or those of its bytes, or the unknown one.
func (m *unigram) addUnknown(c *call, word piece, start, end int) {
	text := word.text[start:end]
	if id, ok := m.ids[text]; ok && !m.single {
		c.add(id, word, start, end)
		return
	}
	if !m.byteFallback || !m.spells(text) {
		c.add(m.unknown, word, start, end)
		return
	}
	for i := 0; i < len(text); i++ {
		c.add(m.bytes[text[i]], word, start+i, start+i+1)
	}
}

// spells reports that each byte of text has a token.
func (m *unigram) spells(text string) bool {
	for i := 0; i < len(text); i++ {
		if m.bytes[text[i]] < 0 {
			return false
		}
	}
	return true
}
