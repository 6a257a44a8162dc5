// Normalisers: what a tokenizer does to text before it is split, read from the "normalizer" of tokenizer.json.

package tokenizer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A normalizer is a list of rules, applied one after the other.
type normalizer []rule

func (n normalizer) apply(c *call, p piece) (out piece, removed bool) {
	for _, r := range n {
		var gone bool
		if p, gone = c.apply(r, p); c.err != nil {
			return p, false
		}
		removed = removed || gone
	}
	return p, removed
}

// text is what becomes of a text by itself.
func (n normalizer) text(text string) (string, error) {
	c := &call{ctx: context.Background()}
	c.bounds(len(text))
	p, _ := n.apply(c, piece{text: text})
	return p.text, c.err
}

const (
	mostParts      = 1 << 10 // rules, splitters or decoders in a list
	deepestNesting = 32      // sequences inside sequences
)

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func kindOf(raw json.RawMessage) (string, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := unmarshal(raw, &head); err != nil {
		return "", err
	}
	return head.Type, nil
}

const knownNormalizers = "BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, " +
	"Strip, StripAccents"

func parseNormalizer(raw json.RawMessage, depth int) (normalizer, error) {
	if absent(raw) {
		return nil, nil
	}
	if depth > deepestNesting {
		return nil, fmt.Errorf("normalizer: nested more than %d deep", deepestNesting)
	}
	kind, err := kindOf(raw)
	if err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	decode := func(into any) {
		if e := unmarshal(raw, into); e != nil {
			err = fmt.Errorf("normalizer %.40q: %w", kind, e)
		}
	}
	var r rule
	switch kind {
	case "NFC", "NFD", "NFKC", "NFKD":
		r = normalForms[kind]
	case "Lowercase":
		r = lowercase{}
	case "StripAccents":
		r = deletion(isCombining)
	case "ByteLevel":
		r = byteAlphabet{}
	case "Nmt":
		r = perRune(nmt)
	case "Strip":
		var s stripSpace
		decode(&s)
		r = s
	case "Prepend":
		var p prepend
		decode(&p)
		r = p
	case "Replace":
		r, err = parseReplace(raw)
	case "BertNormalizer":
		b := bertNormalizer{CleanText: true, ChineseChars: true, Lower: true}
		decode(&b)
		return b.rules(), err
	case "Precompiled":
		r, err = parsePrecompiled(raw)
	case "Sequence":
		var s struct{ Normalizers []json.RawMessage }
		decode(&s)
		all := normalizer{}
		for _, part := range s.Normalizers {
			list, e := parseNormalizer(part, depth+1)
			if e != nil {
				return nil, e
			}
			if all = append(all, list...); len(all) > mostParts {
				return nil, fmt.Errorf("normalizer: more than %d rules", mostParts)
			}
		}
		return all, err
	default:
		return nil, unsupported("normalizer: unknown type %.80q, known are %s", kind, knownNormalizers)
	}
	return normalizer{r}, err
}

// perRune maps each character: to itself, to another, or to -1 to delete it.
type perRune func(rune) rune

func (change perRune) rewrite(w *rewriting) { w.runes(change) }

func deletion(gone func(rune) bool) perRune {
	return func(r rune) rune {
		if gone(r) {
			return -1
		}
		return r
	}
}

type lowercase struct{}

func (lowercase) rewrite(w *rewriting) {
	var lower [2 * utf8.UTFMax]byte
	for text := w.rest(); text != "" && w.call.err == nil; text = w.rest() {
		i := 0
		for i < len(text) && text[i] < utf8.RuneSelf && (text[i] < 'A' || text[i] > 'Z') {
			i++
		}
		if w.keep(i); i == len(text) {
			return
		}
		r, n := utf8.DecodeRuneInString(text[i:])
		w.exchange(n, string(appendLower(lower[:0], r)))
	}
}

// nmt is SentencePiece's cleaning of control characters and odd spaces.
func nmt(r rune) rune {
	switch {
	case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680,
		r >= 0x200b && r <= 0x200f, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xfeff, r == 0xfffd:
		return ' '
	case r >= 1 && r <= 8, r == 0x0b, r >= 0x0e && r <= 0x1f, r == 0x7f, r == 0x8f, r == 0x9f:
		return -1
	}
	return r
}

type stripSpace struct {
	Left  bool `json:"strip_left"`
	Right bool `json:"strip_right"`
}

func (s stripSpace) rewrite(w *rewriting) {
	text := w.in.text
	if s.Left {
		text = strings.TrimLeftFunc(text, isSpace)
		if n := len(w.in.text) - len(text); n > 0 {
			w.remove(n)
		}
	}
	if s.Right {
		kept := strings.TrimRightFunc(text, isSpace)
		if w.keep(len(kept)); len(kept) < len(text) {
			w.replace(len(text)-len(kept), "")
		}
	}
}

type prepend struct {
	Text string `json:"prepend"`
}

func (p prepend) rewrite(w *rewriting) {
	if w.in.text != "" && p.Text != "" {
		w.replace(0, p.Text)
	}
}

// replace puts content in place of what a pattern matches; a pattern that is plain text is literal.
type replace struct {
	literal string
	regex   *regex
	content string
}

// A patternJSON is {"String": …} or {"Regex": …}.
type patternJSON struct {
	String *string
	Regex  *string
}

func parseReplace(raw json.RawMessage) (*replace, error) {
	var r struct {
		Pattern patternJSON `json:"pattern"`
		Content *string     `json:"content"`
	}
	if err := unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("replace: %w", err)
	}
	if r.Content == nil {
		return nil, fmt.Errorf("replace: content is missing")
	}
	switch {
	case r.Pattern.String != nil:
		return &replace{literal: *r.Pattern.String, content: *r.Content}, nil
	case r.Pattern.Regex != nil:
		regex, err := compileRegex(*r.Pattern.Regex)
		if err != nil {
			return nil, fmt.Errorf("replace: %w", err)
		}
		return &replace{regex: regex, content: *r.Content}, nil
	}
	return nil, fmt.Errorf("replace: pattern is neither String nor Regex")
}

func (r *replace) rewrite(w *rewriting) {
	switch {
	case r.regex != nil:
		r.regex.each(w.call, w.in.text, func(start, end int, match bool) {
			if match {
				w.replace(end-start, r.content)
			} else {
				w.keep(end - start)
			}
		})
	case r.literal == "":
		w.between(r.content)
	default:
		w.literal(r.literal, r.content)
	}
}

// bertNormalizer is the cleaning, spacing of Chinese characters, accent stripping and lower-casing of BERT.
type bertNormalizer struct {
	CleanText    bool  `json:"clean_text"`
	ChineseChars bool  `json:"handle_chinese_chars"`
	StripAccents *bool `json:"strip_accents"`
	Lower        bool  `json:"lowercase"`
}

func (b bertNormalizer) rules() normalizer {
	n := normalizer{}
	if b.CleanText {
		n = append(n, perRune(func(r rune) rune {
			switch {
			case r >= ' ' && r < 0x7f:
				return r
			case r == 0 || within(invisible, r):
				return -1
			case isSpace(r):
				return ' '
			}
			return r
		}))
	}
	if b.ChineseChars {
		n = append(n, spacedChinese{})
	}
	if b.StripAccents == nil && b.Lower || b.StripAccents != nil && *b.StripAccents {
		n = append(n, normalForms["NFD"], withoutAccents{})
	}
	if b.Lower {
		n = append(n, lowercase{})
	}
	return n
}

// spacedChinese puts a space on either side of every Chinese character.
type spacedChinese struct{}

func (spacedChinese) rewrite(w *rewriting) {
	for w.call.err == nil {
		at := strings.IndexFunc(w.rest(), isChinese)
		if at < 0 {
			return
		}
		w.keep(at)
		_, n := utf8.DecodeRuneInString(w.rest())
		w.replace(0, " ")
		w.keep(n)
		w.replace(0, " ")
	}
}

// withoutAccents deletes nonspacing marks; that the first character goes is not noticed, as in the reference.
type withoutAccents struct{}

func (withoutAccents) rewrite(w *rewriting) {
	for w.call.err == nil {
		at := strings.IndexFunc(w.rest(), isNonspacing)
		if at < 0 {
			return
		}
		w.keep(at)
		_, n := utf8.DecodeRuneInString(w.rest())
		w.replace(n, "")
	}
}

func isChinese(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3400 && r <= 0x4dbf || r >= 0x20000 && r <= 0x2a6df || r >= 0x2a700 && r <= 0x2b73f ||
		r >= 0x2b740 && r <= 0x2b81f || r >= 0x2b920 && r <= 0x2ceaf || r >= 0xf900 && r <= 0xfaff || r >= 0x2f800 && r <= 0x2fa1f
}
