// WordPiece (Wu et al. 2016, section 4.1): the longest token at each position of a word, those behind the first marked by a prefix; a
// word that cannot be covered is unknown as a whole. WordLevel is the table alone: a word is a token or unknown.

package tokenizer

import "unicode/utf8"

type wordPiece struct {
	ids     map[string]int32
	prefix  string // before every token of a word but the first
	unknown int32  // -1: none
	most    int    // characters; a longer word is unknown
	longest int    // bytes of the longest token, which bounds the search
}

func newWordPiece(vocab *vocabulary, prefix string, unknown int32, most int) *wordPiece {
	m := &wordPiece{ids: vocab.ids, prefix: prefix, unknown: unknown, most: most}
	for token := range vocab.ids {
		m.longest = max(m.longest, len(token))
	}
	return m
}

func (m *wordPiece) encode(c *call, word piece) {
	ids, extents := len(c.ids), len(c.extents)
	if utf8.RuneCountInString(word.text) <= m.most {
		at := 0
		for at < len(word.text) {
			id, n := m.longestAt(c, word.text, at)
			if n == 0 || c.err != nil {
				break
			}
			c.add(id, word, at, at+n)
			at += n
		}
		if at == len(word.text) {
			return
		}
	}
	if m.unknown < 0 {
		c.fail(errUnknownToken)
	}
	c.ids, c.extents = c.ids[:ids], c.extents[:extents]
	c.add(m.unknown, word, 0, len(word.text))
}

func (m *wordPiece) longestAt(c *call, word string, at int) (id int32, length int) {
	prefix := m.prefix
	if at == 0 {
		prefix = ""
	}
	for end := min(len(word), at+m.longest); end > at && !c.ended(end-at); end-- {
		if end < len(word) && !utf8.RuneStart(word[end]) {
			continue
		}
		if id, ok := m.ids[prefix+word[at:end]]; ok {
			return id, end - at
		}
	}
	return 0, 0
}

type wordLevel struct {
	ids     map[string]int32
	unknown int32 // -1: none
}

func (m *wordLevel) encode(c *call, word piece) {
	id, ok := m.ids[word.text]
	if !ok {
		id = m.unknown
	}
	if id < 0 {
		c.fail(errUnknownToken)
	}
	c.add(id, word, 0, len(word.text))
}
