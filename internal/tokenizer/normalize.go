// Normalisers: what a tokenizer does to text before it is split, read from the "normalizer" of tokenizer.json.
package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A normalizer rewrites text. removed tells that the first character was deleted, which a metaspace that marks only the beginning
// of the text needs to know.
type normalizer interface {
	normalize(text string) (out string, removed bool, err error)
}

const deepestNesting = 32 // sequences inside sequences

func absent(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func kindOf(raw json.RawMessage) (string, error) {
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return "", err
	}
	return head.Type, nil
}

const knownNormalizers = "BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip, StripAccents"

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
		if e := json.Unmarshal(raw, into); e != nil {
			err = fmt.Errorf("normalizer %s: %w", kind, e)
		}
	}
	var n normalizer
	switch kind {
	case "NFC", "NFD", "NFKC", "NFKD":
		n = normalForms[kind]
	case "Lowercase":
		n = perText(lowercase)
	case "StripAccents":
		n = deletion(isCombining)
	case "ByteLevel":
		n = perText(toByteAlphabet)
	case "Nmt":
		n = perRune{nmt}
	case "Strip":
		var s stripSpace
		decode(&s)
		n = s
	case "Prepend":
		var p prepend
		decode(&p)
		n = p
	case "Replace":
		n, err = parseReplace(raw)
	case "BertNormalizer":
		b := bertNormalizer{CleanText: true, ChineseChars: true, Lower: true}
		decode(&b)
		n = b
	case "Precompiled":
		n, err = parsePrecompiled(raw)
	case "Sequence":
		var s struct{ Normalizers []json.RawMessage }
		decode(&s)
		var list sequence
		for _, part := range s.Normalizers {
			one, e := parseNormalizer(part, depth+1)
			if e != nil {
				return nil, e
			}
			if one != nil {
				list = append(list, one)
			}
		}
		n = list
	default:
		return nil, fmt.Errorf("normalizer: unknown type %.80q, known are %s", kind, knownNormalizers)
	}
	return n, err
}

type sequence []normalizer

func (s sequence) normalize(text string) (string, bool, error) {
	removed := false
	for _, n := range s {
		var gone bool
		var err error
		if text, gone, err = n.normalize(text); err != nil {
			return "", false, err
		}
		removed = removed || gone
	}
	return text, removed, nil
}

type perText func(string) string

func (f perText) normalize(text string) (string, bool, error) { return f(text), false, nil }

// perRune maps each character: to itself, to another, or to -1 to delete it.
type perRune struct{ change func(rune) rune }

func (p perRune) normalize(text string) (string, bool, error) {
	r, _ := utf8.DecodeRuneInString(text)
	return strings.Map(p.change, text), text != "" && p.change(r) < 0, nil
}

func deletion(gone func(rune) bool) perRune {
	return perRune{func(r rune) rune {
		if gone(r) {
			return -1
		}
		return r
	}}
}

func lowercase(text string) string {
	i := 0
	for i < len(text) && text[i] < utf8.RuneSelf && (text[i] < 'A' || text[i] > 'Z') {
		i++
	}
	if i == len(text) {
		return text
	}
	out := append(make([]byte, 0, len(text)+8), text[:i]...)
	for _, r := range text[i:] {
		out = appendLower(out, r)
	}
	return string(out)
}

// nmt is SentencePiece's cleaning of control characters and odd spaces.
func nmt(r rune) rune {
	switch {
	case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200b && r <= 0x200f, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xfeff, r == 0xfffd:
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

func (s stripSpace) normalize(text string) (string, bool, error) {
	removed := false
	if s.Left {
		kept := strings.TrimLeftFunc(text, isSpace)
		removed = len(kept) < len(text)
		text = kept
	}
	if s.Right {
		text = strings.TrimRightFunc(text, isSpace)
	}
	return text, removed, nil
}

type prepend struct {
	Text string `json:"prepend"`
}

func (p prepend) normalize(text string) (string, bool, error) {
	if text == "" {
		return "", false, nil
	}
	return p.Text + text, false, nil
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
	if err := json.Unmarshal(raw, &r); err != nil {
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

func (r *replace) normalize(text string) (string, bool, error) {
	out, err := r.apply(text)
	return out, false, err
}

func (r *replace) apply(text string) (string, error) {
	if r.regex == nil {
		if r.literal == "" {
			return insertBetween(text, r.content), nil
		}
		return strings.ReplaceAll(text, r.literal, r.content), nil
	}
	var out strings.Builder
	err := r.regex.each(text, func(start, end int, match bool) {
		if match {
			out.WriteString(r.content)
		} else {
			out.WriteString(text[start:end])
		}
	})
	return out.String(), err
}

// insertBetween is what an empty pattern does: it matches before every character and at the end.
func insertBetween(text, content string) string {
	if text == "" {
		return ""
	}
	return strings.ReplaceAll(text, "", content)
}

// bertNormalizer is the cleaning, spacing of Chinese characters, accent stripping and lower-casing of BERT.
type bertNormalizer struct {
	CleanText    bool  `json:"clean_text"`
	ChineseChars bool  `json:"handle_chinese_chars"`
	StripAccents *bool `json:"strip_accents"`
	Lower        bool  `json:"lowercase"`
}

func (b bertNormalizer) normalize(text string) (string, bool, error) {
	removed := false
	if b.CleanText {
		text, removed, _ = perRune{func(r rune) rune {
			switch {
			case r >= ' ' && r < 0x7f:
				return r
			case r == 0 || within(invisible, r):
				return -1
			case isSpace(r):
				return ' '
			}
			return r
		}}.normalize(text)
	}
	if b.ChineseChars && strings.ContainsFunc(text, isChinese) {
		var out strings.Builder
		for _, r := range text {
			if isChinese(r) {
				out.WriteByte(' ')
				out.WriteRune(r)
				out.WriteByte(' ')
			} else {
				out.WriteRune(r)
			}
		}
		text = out.String()
	}
	if b.StripAccents == nil && b.Lower || b.StripAccents != nil && *b.StripAccents {
		text, _, _ = deletion(isNonspacing).normalize(normalForms["NFD"].string(text))
	}
	if b.Lower {
		text = lowercase(text)
	}
	return text, removed, nil
}

func isChinese(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x3400 && r <= 0x4dbf || r >= 0x20000 && r <= 0x2a6df || r >= 0x2a700 && r <= 0x2b73f ||
		r >= 0x2b740 && r <= 0x2b81f || r >= 0x2b920 && r <= 0x2ceaf || r >= 0xf900 && r <= 0xfaff || r >= 0x2f800 && r <= 0x2fa1f
}
