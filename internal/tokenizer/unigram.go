// Unigram language model (Kudo 2018): of all ways to cut a text into pieces, the one whose scores sum highest, by Viterbi over the
// byte positions. A character that no piece covers costs the lowest score less 10; neighbours of that kind become one unknown.
package tokenizer

import (
	"errors"
	"fmt"
	"math"
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

var errUnknownToken = errors.New("model: the text holds what no token covers, and the vocabulary has no unknown token")

// An arrival is the best way to a byte position: its score, where its last piece begins, and that piece.
type arrival struct {
	score float64
	from  int32 // -1: not reached
	id    int32
}

func (m *unigram) encode(ids []int32, text string) ([]int32, error) {
	if len(text) > math.MaxInt32-1 {
		return ids, fmt.Errorf("model: a stretch of %d bytes is too long", len(text))
	}
	best := make([]arrival, len(text)+1)
	for i := range best {
		best[i].from = -1
	}
	penalty := m.lowest - unknownPenalty
	if m.single {
		penalty = float64(float32(m.lowest) - unknownPenalty)
	}
	for i := 0; i < len(text); {
		_, width := utf8.DecodeRuneInString(text[i:])
		here, covered := best[i].score, false
		node := int32(0)
		for j := i; j < len(text); j++ {
			if node = m.trie.step(node, text[j]); node == 0 {
				break
			}
			if id := m.trie.final[node]; id >= 0 {
				m.arrive(&best[j+1], m.score[id]+here, i, id)
				covered = covered || j+1-i == width
			}
		}
		if !covered {
			if m.unknown < 0 {
				return ids, errUnknownToken
			}
			m.arrive(&best[i+width], penalty+here, i, m.unknown)
		}
		i += width
	}
	return m.collect(ids, text, best)
}

func (m *unigram) arrive(at *arrival, score float64, from int, id int32) {
	if m.single {
		score = float64(float32(score))
	}
	if at.from >= 0 && score <= at.score {
		return
	}
	*at = arrival{score, int32(from), id}
}

// collect walks the best way back and appends its pieces in order. A run of unknown pieces is looked up as one.
func (m *unigram) collect(ids []int32, text string, best []arrival) ([]int32, error) {
	var cuts []int32 // ends of pieces, last first
	for end := int32(len(text)); end > 0; {
		cuts = append(cuts, end)
		a := best[end]
		for a.id == m.unknown && a.from > 0 && best[a.from].id == m.unknown {
			a = best[a.from]
		}
		end = a.from
	}
	start := int32(0)
	for i := len(cuts) - 1; i >= 0; i-- {
		end := cuts[i]
		if id := best[end].id; id != m.unknown {
			ids = append(ids, id)
		} else if piece := text[start:end]; !m.appendFallback(&ids, piece) {
			if m.unknown < 0 {
				return ids, errUnknownToken
			}
			ids = append(ids, m.unknown)
		}
		start = end
	}
	return ids, nil
}

// appendFallback appends the token of an uncovered piece, should there be one after all, or those of its bytes.
func (m *unigram) appendFallback(ids *[]int32, piece string) bool {
	if id, ok := m.ids[piece]; ok && !m.single {
		*ids = append(*ids, id)
		return true
	}
	if !m.byteFallback {
		return false
	}
	for i := 0; i < len(piece); i++ {
		if m.bytes[piece[i]] < 0 {
			return false
		}
	}
	for i := 0; i < len(piece); i++ {
		*ids = append(*ids, m.bytes[piece[i]])
	}
	return true
}
