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
	if err := json.Unmarshal(raw, &m); err != nil {
		return metaspace{}, fmt.Errorf("metaspace: %w", err)
	}
	if _, n := utf8.DecodeRuneInString(m.Replacement); n == 0 || n != len(m.Replacement) {
		return metaspace{}, fmt.Errorf("metaspace: replacement %.40q is not one character", m.Replacement)
	}
	switch m.PrependScheme {
	case "always", "first", "never":
	default:
		return metaspace{}, fmt.Errorf("metaspace: unknown prepend_scheme %.40q", m.PrependScheme)
	}
	if m.AddPrefixSpace != nil && !*m.AddPrefixSpace {
		m.PrependScheme = "never" // files written before prepend_scheme existed
	}
	return metaspace{m.Replacement, m.PrependScheme, m.Split == nil || *m.Split}, nil
}

func (m metaspace) split(pieces []piece, p piece) ([]piece, error) {
	text := m.replace(p.text, p.first)
	if !m.cut {
		return append(pieces, piece{text, p.first}), nil
	}
	symbol, _ := utf8.DecodeRuneInString(m.symbol)
	cuts := cutRunes(text, func(r rune) bool { return r == symbol })
	return arrange(pieces, piece{text, p.first}, cuts, mergedWithNext), nil
}

func (m metaspace) replace(text string, first bool) string {
	front := ""
	if m.prefix == "always" || m.prefix == "first" && first {
		if !strings.HasPrefix(text, " ") && !strings.HasPrefix(text, m.symbol) {
			front = m.symbol
		}
	}
	return front + strings.ReplaceAll(text, " ", m.symbol)
}
