// BPE by scores, as SentencePiece and the "llama" vocabularies of GGUF have it: there is no list of merges; two neighbours merge if their
// joined text is a piece, the piece with the highest score first, the leftmost first among equals. Every way to cut a piece in two is
// therefore a merge of that piece's rank. A character that is no piece of its own may still be half of one; it takes part under a
// negative number that stands for it.

package tokenizer

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

type scoredBPE struct {
	merges       *mergeTable
	runes        *runeTokens
	bytes        [256]int32
	byteFallback bool
	unknown      int32        // -1: none
	user         *tokenFinder // user-defined pieces, which stand as they are; nil: none
}

const mostHalves = 1 << 32 // published vocabularies stay below 1 << 26

// newScoredBPE builds the model from the pieces whose ids are listed in mergeable.
func newScoredBPE(tokens []string, scores []float64, mergeable []int32, unknown int32, byteFallback bool) (*scoredBPE, error) {
	ids := make(map[string]int32, len(mergeable))
	for _, id := range mergeable {
		if math.IsNaN(scores[id]) {
			return nil, fmt.Errorf("piece %d (%.80q): its score is not a number", id, tokens[id])
		}
		ids[tokens[id]] = id
	}
	halves := 0 // bytes looked up below: what it takes to cut every piece everywhere
	for token := range ids {
		halves += len(token) * len(token)
	}
	if halves > mostHalves {
		return nil, fmt.Errorf("the pieces are too long: cutting them in two takes %d bytes, want at most %d", halves, mostHalves)
	}
	vocab := &vocabulary{ids: ids}
	m := &scoredBPE{merges: newMergeTable(2 * len(ids)), runes: newRuneTokens(vocab), unknown: unknown, byteFallback: byteFallback}
	m.bytes = byteTokens(newVocabularyList(tokens))
	for token, rank := range ranks(ids, scores) {
		for i := range token {
			if i == 0 {
				continue
			}
			left, ok := m.half(ids, token[:i])
			if !ok {
				continue
			}
			if right, ok := m.half(ids, token[i:]); ok {
				m.merges.set(left, right, merge{rank, ids[token]})
			}
		}
	}
	return m, nil
}

// ranks numbers pieces by score, the highest 0, equal ones alike.
func ranks(ids map[string]int32, scores []float64) map[string]int32 {
	order := make([]string, 0, len(ids))
	for token := range ids {
		order = append(order, token)
	}
	slices.SortFunc(order, func(a, b string) int { return cmp.Compare(scores[ids[b]], scores[ids[a]]) })
	out, rank := make(map[string]int32, len(ids)), int32(-1)
	for i, token := range order {
		if i == 0 || scores[ids[token]] != scores[ids[order[i-1]]] {
			rank++
		}
		out[token] = rank
	}
	return out
}

func (m *scoredBPE) half(ids map[string]int32, text string) (int32, bool) {
	if id, ok := ids[text]; ok {
		return id, true
	}
	if r, n := utf8.DecodeRuneInString(text); n == len(text) {
		return standIn(r), true
	}
	return 0, false
}

// standIn numbers a character that is no piece: below -1, which marks merged nodes.
func standIn(r rune) int32 { return -2 - r }

// frozen numbers a piece that merges with nothing: below every character that is no piece.
func frozen(id int32) int32 { return standIn(utf8.MaxRune) - 1 - id }

func (m *scoredBPE) encode(c *call, word piece) {
	w := workspaces.Get().(*workspace)
	defer workspaces.Put(w)
	text := word.text
	w.begin(symbolsOf(text), c.track)
	for i := 0; i < len(text); {
		if m.user != nil && m.user.start[text[i]] {
			if p, end := m.user.at(text, i); p != nil {
				w.add(frozen(p.id), i)
				i = end
				continue
			}
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		if id := m.runes.get(r); id >= 0 {
			w.add(id, i)
		} else {
			w.add(standIn(r), i)
		}
		i += n
	}
	if w.merge(c, m.merges); c.err != nil {
		return
	}
	if !c.track && !slices.ContainsFunc(w.symbols, func(id int32) bool { return id < 0 }) {
		c.take(w)
		return
	}
	m.resolve(c, word, w)
}

// resolve gives frozen pieces their ids back, and writes the bytes of characters that are no piece, or one unknown token for a run of
// them.
func (m *scoredBPE) resolve(c *call, word piece, w *workspace) {
	if len(w.symbols) > longWord {
		most := 0
		for _, id := range w.symbols {
			most++
			if m.byteFallback && id < 0 && id >= standIn(utf8.MaxRune) {
				most += utf8.RuneLen(-2-id) - 1
			}
		}
		c.setAside(0)
		c.ids = slices.Grow(c.ids, most)
	}
	pending := false
	for k, id := range w.symbols {
		start, end := 0, 0
		if c.track {
			start, end = int(w.starts[k]), w.until(k, len(word.text))
		}
		if id < standIn(utf8.MaxRune) {
			id = frozen(0) - id
		}
		switch {
		case id >= 0:
			c.add(id, word, start, end)
			pending = false
		case m.byteFallback:
			for i, b := range []byte(string(-2 - id)) {
				if m.bytes[b] < 0 {
					c.fail(errUnknownToken)
					return
				}
				c.add(m.bytes[b], word, min(start+i, end), min(start+i+1, end))
			}
		case m.unknown < 0:
			c.fail(errUnknownToken)
			return
		case !pending:
			c.add(m.unknown, word, start, end)
			pending = true
		case c.track:
			last := &c.extents[len(c.extents)-1]
			last.end = max(last.end, word.extent(start, end).end)
		}
	}
}

// spaced returns the short way for m where words can be told apart (see spacedBPE), else the plain one.
func (m *scoredBPE) spaced(tokens []string, mergeable []int32) wordEncoder {
	symbol, _ := utf8.DecodeRuneInString(metaSymbol)
	apart := m.runes.get(symbol) >= 0
	for _, id := range mergeable {
		apart = apart && !strings.Contains(strings.TrimLeft(tokens[id], metaSymbol), metaSymbol)
	}
	if !apart {
		return &pipeline{model: m}
	}
	return &spacedBPE{words: pipeline{model: m, cache: newWordCache()}}
}
