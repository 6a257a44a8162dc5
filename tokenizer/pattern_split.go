// Splitting at what a pattern matches: a hand-written scanner or matcher where the pattern is known, plain text, or a regular expression.

package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

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
	if err := unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("pre_tokenizer Split: %w", err)
	}
	how, ok := behaviours[s.Behavior]
	if !ok {
		return nil, unsupported("pre_tokenizer Split: unknown behavior %.40q", s.Behavior)
	}
	switch {
	case s.Pattern.String != nil:
		if *s.Pattern.String == "" {
			return nil, errors.New("pre_tokenizer Split: the pattern is empty")
		}
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

func (s *patternSplit) split(c *call, p piece, yield func(piece)) {
	a := arranger{piece: p, how: s.how, invert: s.invert, yield: yield}
	switch {
	case s.scan != nil:
		for i := 0; i < len(p.text); {
			end := s.scan.next(p.text, i)
			if a.add(i, end, true); c.ended(end - i) {
				return
			}
			i = end
		}
	case s.match != nil:
		cutMatches(c, s.match, p.text, a.add)
	case s.regex != nil:
		s.regex.each(c, p.text, a.add)
	default:
		for done := 0; done < len(p.text); {
			at := strings.Index(p.text[done:], s.literal)
			if at < 0 {
				a.add(done, len(p.text), false)
				break
			}
			if at > 0 {
				a.add(done, done+at, false)
			}
			end := done + at + len(s.literal)
			if a.add(done+at, end, true); c.ended(end - done) {
				return
			}
			done = end
		}
	}
	a.close()
}
