// How SentencePiece treats spaces: on the way in the character map, then the spaces themselves; on the way out the reverse.

package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// A spaceNormalizer says what becomes of spaces.
type spaceNormalizer struct {
	charsmap *charsmap // nil: none
	prefix   bool      // a space goes in front (or behind, with suffix)
	collapse bool      // runs of spaces become one, those at the ends go
	escape   bool      // a space becomes "▁"
	suffix   bool
	user     *tokenFinder // pieces that the map leaves alone; nil: none
}

// rules are the steps, in the order of the sentencepiece library.
func (s spaceNormalizer) rules() normalizer {
	var n normalizer
	if s.charsmap != nil {
		n = append(n, mapped{s.charsmap, s.user})
	}
	if s.collapse {
		n = append(n, collapsed{})
	}
	if s.prefix && !s.suffix {
		n = append(n, prepend{" "})
	}
	space := " "
	if s.escape {
		space = metaSymbol
		n = append(n, &replace{literal: " ", content: metaSymbol})
	}
	if s.collapse || s.prefix && s.suffix {
		n = append(n, ending{space, s.collapse, s.prefix && s.suffix})
	}
	return n
}

// mapped replaces, from left to right, the longest prefix that the map knows.
type mapped struct {
	charsmap *charsmap
	user     *tokenFinder
}

func (m mapped) rewrite(w *rewriting) {
	for rest := w.rest(); rest != "" && w.call.err == nil; rest = w.rest() {
		if m.user != nil {
			if p, end := m.user.at(rest, 0); p != nil {
				w.keep(end)
				continue
			}
		}
		replacement, n := m.charsmap.match(rest, true)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(rest)
			w.keep(n)
			continue
		}
		w.exchange(n, replacement)
	}
}

// collapsed makes runs of spaces one and takes those in front away.
type collapsed struct{}

func (collapsed) rewrite(w *rewriting) {
	if n := len(w.in.text) - len(strings.TrimLeft(w.in.text, " ")); n > 0 {
		w.replace(n, "")
	}
	for w.call.err == nil {
		at := strings.Index(w.rest(), "  ")
		if at < 0 {
			return
		}
		w.keep(at + 1)
		rest := w.rest()
		w.replace(len(rest)-len(strings.TrimLeft(rest, " ")), "")
	}
}

// ending says what becomes of the end of a text.
type ending struct {
	space     string
	trim, add bool // take all spaces away, a "▁" of the text itself counting too; then put one there
}

func (e ending) rewrite(w *rewriting) {
	end := len(w.in.text)
	if end == 0 {
		return
	}
	for e.trim && strings.HasSuffix(w.in.text[:end], e.space) {
		end -= len(e.space)
	}
	if w.keep(end); end < len(w.in.text) {
		w.replace(len(w.in.text)-end, "")
	}
	if e.add {
		w.replace(0, e.space)
	}
}

// spaceDecoders turn "▁" into spaces, byte tokens into text, and take the leading space away where one was put.
func spaceDecoders(prefix bool) []decoder {
	out := []decoder{rewritten(&replace{literal: metaSymbol, content: " "}), decodeByteFallback, fused}
	if prefix {
		out = append(out, func(_ *call, tokens []string) []string { return decodeStrip(tokens, ' ', 1, 0) })
	}
	return out
}
