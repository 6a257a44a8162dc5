// Metaspace: SentencePiece's way with spaces. Every space becomes "▁", one is put in front, and words begin at it.

package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

const metaSymbol = "▁"

type metaspace struct {
	symbol string // what stands for a space
	prefix string // "always", "first" (only at the beginning of the text) or "never"
	cut    bool   // whether words are cut apart at all
}

func parseMetaspace(raw json.RawMessage) (metaspace, error) {
	m := struct {
		Replacement    string
		PrependScheme  string `json:"prepend_scheme"`
		AddPrefixSpace *bool  `json:"add_prefix_space"`
		Split          *bool
	}{PrependScheme: "always"}
	if err := unmarshal(raw, &m); err != nil {
		return metaspace{}, fmt.Errorf("metaspace: %w", err)
	}
	if _, n := utf8.DecodeRuneInString(m.Replacement); n == 0 || n != len(m.Replacement) {
		return metaspace{}, fmt.Errorf("metaspace: replacement %.40q is not one character", m.Replacement)
	}
	switch m.PrependScheme {
	case "always", "first", "never":
	default:
		return metaspace{}, unsupported("metaspace: unknown prepend_scheme %.40q", m.PrependScheme)
	}
	if m.AddPrefixSpace != nil && !*m.AddPrefixSpace {
		m.PrependScheme = "never" // files written before prepend_scheme existed
	}
	return metaspace{m.Replacement, m.PrependScheme, m.Split == nil || *m.Split}, nil
}

func (m metaspace) split(c *call, p piece, yield func(piece)) {
	if !m.cut {
		p, _ = c.apply(m, p)
		yield(p)
		return
	}
	// Spaces are where the symbols will be; cutting first keeps the rewritten text short.
	front := m.prefixes(p)
	symbol, _ := utf8.DecodeRuneInString(m.symbol)
	spaces := charSplit{func(r rune) bool { return r == ' ' || r == symbol }, mergedWithNext}
	var toSymbol, toFront rule = &replace{literal: " ", content: m.symbol}, prepend{m.symbol}
	spaces.split(c, p, func(word piece) {
		if front {
			word, _ = c.apply(toFront, word)
			front = false
		}
		word, _ = c.apply(toSymbol, word)
		yield(word)
	})
}

// prefixes reports that a symbol goes in front of p.
func (m metaspace) prefixes(p piece) bool {
	return (m.prefix == "always" || m.prefix == "first" && p.first) && !strings.HasPrefix(p.text, " ") && !strings.HasPrefix(p.text, m.symbol)
}

func (m metaspace) rewrite(w *rewriting) {
	if m.prefixes(w.in) {
		w.replace(0, m.symbol)
	}
	w.literal(" ", m.symbol)
}
