// Splitters: how normalised text is cut into the words a model sees, read from the "pre_tokenizer" of tokenizer.json.
package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A piece is a stretch of text; first tells that it begins where the whole text begins.
type piece struct {
	text  string
	first bool
}

// A splitter cuts a piece, appending what it makes of it.
type splitter interface {
	split(pieces []piece, p piece) ([]piece, error)
}

const knownSplitters = "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Sequence, Split, Whitespace, WhitespaceSplit"

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
		if e := json.Unmarshal(raw, into); e != nil {
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
			all = append(all, list...)
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
			return nil, fmt.Errorf("pre_tokenizer Punctuation: unknown behavior %.40q", p.Behavior)
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
	return nil, fmt.Errorf("pre_tokenizer: unknown type %.80q, known are %s", kind, knownSplitters)
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

// A cut is a stretch of a piece and whether the pattern matched it; cuts cover the piece.
type cut struct {
	start, end int
	match      bool
}

// arrange joins and drops cuts as the behaviour says and appends what is left to pieces.
func arrange(pieces []piece, p piece, cuts []cut, how behaviour) []piece {
	switch how {
	case removed:
		kept := cuts[:0]
		for _, c := range cuts {
			if !c.match {
				kept = append(kept, c)
			}
		}
		cuts = kept
	case contiguous:
		cuts = join(cuts, func(previous, current bool) bool { return previous == current })
	case mergedWithPrevious:
		cuts = join(cuts, func(previous, current bool) bool { return current && !previous })
	case mergedWithNext:
		reverse(cuts)
		cuts = join(cuts, func(previous, current bool) bool { return current && !previous })
		reverse(cuts)
	}
	for _, c := range cuts {
		if c.start < c.end {
			pieces = append(pieces, piece{p.text[c.start:c.end], p.first && c.start == 0})
		}
	}
	return pieces
}

// join merges each cut into the one before it where together says so of their match flags.
func join(cuts []cut, together func(previous, current bool) bool) []cut {
	out := cuts[:0]
	previous := false
	for _, c := range cuts {
		if n := len(out); n > 0 && together(previous, c.match) {
			out[n-1].start, out[n-1].end = min(out[n-1].start, c.start), max(out[n-1].end, c.end)
		} else {
			out = append(out, c)
		}
		previous = c.match
	}
	return out
}

func reverse(cuts []cut) {
	for i, j := 0, len(cuts)-1; i < j; i, j = i+1, j-1 {
		cuts[i], cuts[j] = cuts[j], cuts[i]
	}
}

// cutMatches covers text with matches and what lies between them, in order.
func cutMatches(m matcher, text string, visit func(start, end int, match bool)) {
	done := 0
	for i := 0; i < len(text); {
		end := m.match(text, i)
		if end == i {
			_, n := decode(text, i)
			i += n
			continue
		}
		if done < i {
			visit(done, i, false)
		}
		visit(i, end, true)
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

func (s charSplit) split(pieces []piece, p piece) ([]piece, error) {
	return arrange(pieces, p, cutRunes(p.text, s.is), s.how), nil
}

func cutRunes(text string, is func(rune) bool) []cut {
	var cuts []cut
	done := 0
	for i, r := range text {
		if is(r) {
			if done < i {
				cuts = append(cuts, cut{done, i, false})
			}
			done = i + utf8.RuneLen(r)
			cuts = append(cuts, cut{i, done, true})
		}
	}
	if done < len(text) {
		cuts = append(cuts, cut{done, len(text), false})
	}
	return cuts
}

// wordSplit keeps runs of word characters and runs of others, without white space: \w+|[^\w\s]+.
type wordSplit struct{}

func (wordSplit) split(pieces []piece, p piece) ([]piece, error) {
	start, last := 0, 0 // kinds: 0 space, 1 word, 2 other
	for i, r := range p.text {
		kind := 2
		if isWord(r) {
			kind = 1
		} else if isSpace(r) {
			kind = 0
		}
		if kind != last {
			if last != 0 {
				pieces = append(pieces, piece{p.text[start:i], p.first && start == 0})
			}
			start, last = i, kind
		}
	}
	if last != 0 {
		pieces = append(pieces, piece{p.text[start:], p.first && start == 0})
	}
	return pieces, nil
}

type fixedLength struct {
	Length int `json:"length"`
}

func (f fixedLength) split(pieces []piece, p piece) ([]piece, error) {
	start, count := 0, 0
	for i := range p.text {
		if count == f.Length {
			pieces = append(pieces, piece{p.text[start:i], p.first && start == 0})
			start, count = i, 0
		}
		count++
	}
	return append(pieces, piece{p.text[start:], p.first && start == 0}), nil
}

// patternSplit matches a regular expression or plain text.
type patternSplit struct {
	literal string
	regex   *regex
	scan    scanner   // set where the pattern is one of the known ones
	match   matcher   // set where its form is known
	begins  [256]bool // whether a match may begin with a byte
	how     behaviour
	invert  bool
}

func parseSplit(raw json.RawMessage) (*patternSplit, error) {
	var s struct {
		Pattern  patternJSON
		Behavior string
		Invert   bool
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("pre_tokenizer Split: %w", err)
	}
	how, ok := behaviours[s.Behavior]
	if !ok {
		return nil, fmt.Errorf("pre_tokenizer Split: unknown behavior %.40q", s.Behavior)
	}
	switch {
	case s.Pattern.String != nil:
		return &patternSplit{literal: *s.Pattern.String, how: how, invert: s.Invert}, nil
	case s.Pattern.Regex != nil:
		return newPatternSplit(*s.Pattern.Regex, how, s.Invert)
	}
	return nil, fmt.Errorf("pre_tokenizer Split: pattern is neither String nor Regex")
}

func newPatternSplit(pattern string, how behaviour, invert bool) (*patternSplit, error) {
	if scan := scannerFor(pattern); scan != nil {
		return &patternSplit{scan: scan, how: how, invert: invert}, nil
	}
	if match := matcherFor(pattern); match != nil {
		s := &patternSplit{match: match, how: how, invert: invert}
		for c := range s.begins {
			s.begins[c] = c >= utf8.RuneSelf || match.begins(byte(c))
		}
		return s, nil
	}
	regex, err := compileRegex(pattern)
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer Split: %w", err)
	}
	return &patternSplit{regex: regex, how: how, invert: invert}, nil
}

// cuts reports that what the split makes of a text is the stretches that its scanner or matcher finds, and those between them.
func (s *patternSplit) cuts() bool {
	return (s.scan != nil || s.match != nil) && !s.invert && s.how == isolated
}

// whole reports that the split only ever cuts into the words of its scanner.
func (s *patternSplit) whole() bool { return s.scan != nil && !s.invert && s.how == isolated }

func (s *patternSplit) split(pieces []piece, p piece) ([]piece, error) {
	var cuts []cut
	var err error
	switch {
	case s.scan != nil:
		for i := 0; i < len(p.text); {
			end := s.scan.next(p.text, i)
			cuts = append(cuts, cut{i, end, true})
			i = end
		}
	case s.match != nil && s.how == isolated && !s.invert: // no list of cuts is needed
		cutMatches(s.match, p.text, func(start, end int, _ bool) {
			pieces = append(pieces, piece{p.text[start:end], p.first && start == 0})
		})
		return pieces, nil
	case s.match != nil:
		cutMatches(s.match, p.text, func(start, end int, match bool) { cuts = append(cuts, cut{start, end, match}) })
	case s.regex != nil:
		err = s.regex.each(p.text, func(start, end int, match bool) { cuts = append(cuts, cut{start, end, match}) })
	case s.literal == "":
		return pieces, fmt.Errorf("pre_tokenizer Split: the pattern is empty")
	default:
		for done := 0; done < len(p.text); {
			at := strings.Index(p.text[done:], s.literal)
			if at < 0 {
				cuts = append(cuts, cut{done, len(p.text), false})
				break
			}
			if at > 0 {
				cuts = append(cuts, cut{done, done + at, false})
			}
			cuts = append(cuts, cut{done + at, done + at + len(s.literal), true})
			done += at + len(s.literal)
		}
	}
	if err != nil {
		return pieces, err
	}
	if s.invert {
		for i := range cuts {
			cuts[i].match = !cuts[i].match
		}
	}
	return arrange(pieces, p, cuts, s.how), nil
}
