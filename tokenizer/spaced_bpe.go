// BPE over text with "▁" for spaces, the short way for tokenizers made from SentencePiece models. It gives the ids that pipeline gives.

package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// spacedBPE is BPE over text that no splitter cuts, with "▁" for spaces. Where no merge joins anything to a "▁" behind it, the text
// may be cut before every "▁" that does not follow another: the merges on either side never meet, so the order among them does not
// matter. Then words can be remembered.
type spacedBPE struct {
	meta  *metaspace // nil: the normaliser has already put the "▁"
	words pipeline
}

// newSpacedBPE returns the short way for m behind splitters, or nil where it does not apply.
func newSpacedBPE(splitters []splitter, m *bpe) *spacedBPE {
	s := &spacedBPE{words: pipeline{model: m, cache: newWordCache()}}
	switch len(splitters) {
	case 0:
	case 1:
		meta, ok := splitters[0].(metaspace)
		if !ok || meta.cut || meta.symbol != metaSymbol {
			return nil
		}
		s.meta = &meta
	default:
		return nil
	}
	symbol, _ := utf8.DecodeRuneInString(metaSymbol)
	if m.prefix != "" || m.suffix != "" || m.ignoreMerges || m.runes.get(symbol) < 0 || !m.separable() {
		return nil
	}
	return s
}

// separable reports that no merge has "▁" at the front of its right side and something else at the end of its left.
func (m *bpe) separable() bool {
	for i, key := range m.merges.keys {
		if key == 0 {
			continue
		}
		joined, _ := m.vocab.token(m.merges.values[i].id)
		if strings.Contains(strings.TrimLeft(joined, metaSymbol), metaSymbol) {
			return false
		}
	}
	return true
}

func (s *spacedBPE) encode(c *call, p piece) {
	if s.meta != nil {
		p, _ = c.apply(*s.meta, p)
	}
	for text := p.text; text != "" && c.err == nil; {
		end := nextMeta(text)
		s.words.word(c, piece{text: text[:end]})
		c.ended(end)
		text = text[end:]
	}
}

// nextMeta returns where the first "▁" stands that does not follow another and is not at the front.
func nextMeta(text string) int {
	i := 0
	for strings.HasPrefix(text[i:], metaSymbol) {
		i += len(metaSymbol)
	}
	if at := strings.Index(text[i:], metaSymbol); at >= 0 {
		return i + at
	}
	return len(text)
}
