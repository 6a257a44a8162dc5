// Splitters: how normalised text is cut into the words a model sees, read from the "pre_tokenizer" of tokenizer.json.

package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// A splitter hands what it makes of a piece to yield, in order. It may stop early where the call has failed.
type splitter interface {
	split(c *call, p piece, yield func(piece))
}

const knownSplitters = "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Sequence, Split, " +
	"Whitespace, WhitespaceSplit"

// parseSplitters flattens sequences.
func parseSplitters(raw json.RawMessage, depth int) ([]splitter, error) {
	if absent(raw) {
		return nil, nil
	}
	if depth > deepestNesting {
		return nil, fmt.Errorf("pre_tokenizer: nested more than %d deep", deepestNesting)
	}
	kind, err := kindOf(raw)
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	decode := func(into any) {
		if e := unmarshal(raw, into); e != nil {
			err = fmt.Errorf("pre_tokenizer %s: %w", kind, e)
		}
	}
	one := func(s splitter) ([]splitter, error) {
		if err != nil {
			return nil, err
		}
		return []splitter{s}, nil
	}
	switch kind {
	case "Sequence":
		var s struct{ Pretokenizers []json.RawMessage }
		decode(&s)
		var all []splitter
		for _, part := range s.Pretokenizers {
			list, e := parseSplitters(part, depth+1)
			if e != nil {
				return nil, e
			}
			if all = append(all, list...); len(all) > mostParts {
				return nil, fmt.Errorf("pre_tokenizer: more than %d splitters", mostParts)
			}
		}
		return all, err
	case "ByteLevel":
		b := byteLevel{UseRegex: true}
		decode(&b)
		return one(b)
	case "Split":
		s, e := parseSplit(raw)
		if e != nil {
			return nil, e
		}
		return one(s)
	case "Metaspace":
		m, e := parseMetaspace(raw)
		if e != nil {
			return nil, e
		}
		return one(m)
	case "Digits":
		var d struct {
			Individual bool `json:"individual_digits"`
		}
		decode(&d)
		how := contiguous
		if d.Individual {
			how = isolated
		}
		return one(charSplit{isNumeric, how})
	case "Punctuation":
		p := struct{ Behavior string }{"Isolated"}
		decode(&p)
		how, ok := behaviours[p.Behavior]
		if !ok {
			return nil, unsupported("pre_tokenizer Punctuation: unknown behavior %.40q", p.Behavior)
		}
		return one(charSplit{isPunctuation, how})
	case "WhitespaceSplit":
		return one(charSplit{isSpace, removed})
	case "BertPreTokenizer":
		return []splitter{charSplit{isSpace, removed}, charSplit{isPunctuation, isolated}}, nil
	case "Whitespace":
		return one(wordSplit{})
	case "CharDelimiterSplit", "Delimiter":
		var d struct{ Delimiter string }
		decode(&d)
		r, n := utf8.DecodeRuneInString(d.Delimiter)
		if err == nil && (n == 0 || n != len(d.Delimiter)) {
			err = fmt.Errorf("pre_tokenizer %s: delimiter %.40q is not one character", kind, d.Delimiter)
		}
		return one(charSplit{func(c rune) bool { return c == r }, removed})
	case "FixedLength":
		f := fixedLength{Length: 5}
		decode(&f)
		if err == nil && f.Length < 1 {
			err = fmt.Errorf("pre_tokenizer FixedLength: length %d, want 1 or more", f.Length)
		}
		return one(f)
	}
	return nil, unsupported("pre_tokenizer: unknown type %.80q, known are %s", kind, knownSplitters)
}

// A behaviour says what becomes of the stretches a pattern matches.
type behaviour int

const (
	isolated behaviour = iota
	removed
	mergedWithPrevious
	mergedWithNext
	contiguous
)

var behaviours = map[string]behaviour{"Isolated": isolated, "Removed": removed, "MergedWithPrevious": mergedWithPrevious,
	"MergedWithNext": mergedWithNext, "Contiguous": contiguous}

// An arranger takes the cuts of a piece, which cover it in order, and yields what the behaviour makes of them.
type arranger struct {
	piece   piece
	how     behaviour
	invert  bool
	yield   func(piece)
	pending bool // start, end and match are those of a cut that may still grow
	start   int
	end     int
	match   bool
}

func (a *arranger) add(start, end int, match bool) {
	match = match != a.invert
	switch {
	case start == end && (a.how == isolated || a.how == removed):
	case a.how == isolated, a.how == removed && !match:
		a.yield(a.piece.cut(start, end))
	case a.how == removed:
	case a.pending && a.joins(match):
		a.end, a.match = end, match
	default:
		a.close()
		a.pending, a.start, a.end, a.match = true, start, end, match
	}
}

// joins reports that a cut belongs to the one before it.
func (a *arranger) joins(match bool) bool {
	switch a.how {
	case contiguous:
		return match == a.match
	case mergedWithPrevious:
		return match && !a.match
	}
	return !match && a.match
}

// close yields what is still pending.
func (a *arranger) close() {
	if a.pending && a.start < a.end {
		a.yield(a.piece.cut(a.start, a.end))
	}
	a.pending = false
}

// cutMatches covers text with matches and what lies between them, in order.
func cutMatches(c *call, m matcher, text string, visit func(start, end int, match bool)) {
	done := 0
	for i := 0; i < len(text); {
		end := m.match(text, i)
		if end == i {
			next := m.after(text, i)
			if c.ended(next - i) {
				return
			}
			i = next
			continue
		}
		if done < i {
			visit(done, i, false)
		}
		visit(i, end, true)
		if c.ended(end - i) {
			return
		}
		i, done = end, end
	}
	if done < len(text) {
		visit(done, len(text), false)
	}
}

// charSplit matches single characters.
type charSplit struct {
	is  func(rune) bool
	how behaviour
}

func (s charSplit) split(c *call, p piece, yield func(piece)) {
	a := arranger{piece: p, how: s.how, yield: yield}
	done := 0
	for i, r := range p.text {
		if c.ended(1) {
			return
		}
		if s.is(r) {
			if done < i {
				a.add(done, i, false)
			}
			done = i + utf8.RuneLen(r)
			a.add(i, done, true)
		}
	}
	if done < len(p.text) {
		a.add(done, len(p.text), false)
	}
	a.close()
}

// wordSplit keeps runs of word characters and runs of others, without white space: \w+|[^\w\s]+.
type wordSplit struct{}

func (wordSplit) split(c *call, p piece, yield func(piece)) {
	start, last := 0, 0 // kinds: 0 space, 1 word, 2 other
	for i, r := range p.text {
		kind := 2
		if isWord(r) {
			kind = 1
		} else if isSpace(r) {
			kind = 0
		}
		if c.ended(1) {
			return
		}
		if kind != last {
			if last != 0 {
				yield(p.cut(start, i))
			}
			start, last = i, kind
		}
	}
	if last != 0 {
		yield(p.cut(start, len(p.text)))
	}
}

type fixedLength struct {
	Length int `json:"length"`
}

func (f fixedLength) split(c *call, p piece, yield func(piece)) {
	start, count := 0, 0
	for i := range p.text {
		if c.ended(1) {
			return
		}
		if count == f.Length {
			yield(p.cut(start, i))
			start, count = i, 0
		}
		count++
	}
	yield(p.cut(start, len(p.text)))
}
