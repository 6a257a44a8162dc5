// Regular expressions of tokenizer files that no hand-written scanner knows. They are written for Oniguruma; regexp2 has look-ahead
// and Unicode classes too but another dialect, so a pattern is translated first: possessive quantifiers become atomic groups,
// classes get the characters that are younger than Go's tables, and what has no counterpart is an error that names it.

package tokenizer

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
	"github.com/dlclark/regexp2/syntax"
)

const (
	regexTimeout     = 10 * time.Second      // for one search, and for all of a short text; only a pattern that backtracks without bound comes near
	regexTimePerRune = 20 * time.Microsecond // for all searches of a text; a hundred times what patterns need
	longestPattern   = 1 << 14               // bytes
)

type regex struct {
	source   string
	compiled *regexp2.Regexp
}

func compileRegex(source string) (r *regex, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, unsupported("pattern %.40q: %.80q", source, fmt.Sprint(p))
		}
	}()
	if len(source) > longestPattern {
		return nil, unsupported("pattern %.40q: %d bytes long, want at most %d", source, len(source), longestPattern)
	}
	translated, err := translate(source)
	if err != nil {
		return nil, unsupported("pattern %.80q: %w", source, err)
	}
	compiled, err := regexp2.Compile(translated, regexp2.Multiline)
	if bad := (*syntax.Error)(nil); errors.As(err, &bad) { // its own text repeats the translation, which may be long and of several lines
		err = fmt.Errorf("%q", fmt.Sprintf(bad.Code.String(), bad.Args...))
	}
	if err != nil {
		return nil, unsupported("pattern %.80q: %w", source, err)
	}
	compiled.MatchTimeout = regexTimeout
	return &regex{source, compiled}, nil
}

// spansPerTurn is how many matches are handed over at a time.
const spansPerTurn = 1 << 8

// each covers text with matches and what lies between them, in order. An empty match directly behind another is no match. The search
// runs beside the visits, because nothing else can leave it before its time is over.
func (r *regex) each(c *call, text string, visit func(start, end int, match bool)) {
	if text == "" || c.ended(len(text)) {
		return
	}
	turns, failed := make(chan []matched), make(chan error, 1)
	ctx, leave := context.WithCancel(c.ctx)
	defer leave()
	go func() {
		defer close(turns)
		if err := r.search(ctx, text, turns); err != nil {
			failed <- err
		}
	}()
	for {
		select {
		case <-ctx.Done():
			c.fail(ctx.Err())
			return
		case turn, more := <-turns:
			for _, m := range turn {
				if visit(m.start, m.end, m.match); c.ended(m.end - m.start + 1) {
					return
				}
			}
			if more {
				continue
			}
			select {
			case err := <-failed:
				c.fail(err)
			default:
			}
			return
		}
	}
}

// A matched stretch of text is a match, or lies between two.
type matched struct {
	start, end int
	match      bool
}

// search sends the stretches of text, many at a time, until ctx is done.
func (r *regex) search(ctx context.Context, text string, turns chan<- []matched) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = kindf(ErrLimit, "pattern %.40q: %.80q", r.source, fmt.Sprint(p))
		}
	}()
	turn := make([]matched, 0, min(len(text)+1, spansPerTurn))
	send := func(m matched) bool {
		if turn = append(turn, m); len(turn) < spansPerTurn {
			return true
		}
		full := turn
		turn = make([]matched, 0, spansPerTurn)
		select {
		case turns <- full:
			return true
		case <-ctx.Done():
			return false
		}
	}
	runes := []rune(text)
	deadline := time.Now().Add(regexTimeout + time.Duration(len(runes))*regexTimePerRune)
	at, bytes := 0, 0 // the same place in runes and in bytes
	offset := func(index int) int {
		for ; at < index; at++ {
			bytes += utf8.RuneLen(runes[at])
		}
		return bytes
	}
	done, found := 0, false
	m, err := r.compiled.FindRunesMatch(runes)
	for ; m != nil && err == nil; m, err = r.compiled.FindNextMatch(m) {
		start := offset(m.Index)
		end := offset(m.Index + m.Length)
		if time.Now().After(deadline) {
			return r.timeout(text)
		}
		if start == end && found && start == done {
			continue
		}
		if done < start && !send(matched{done, start, false}) || !send(matched{start, end, true}) {
			return nil
		}
		done, found = end, true
	}
	if err != nil {
		return r.timeout(text)
	}
	if done < len(text) {
		send(matched{done, len(text), false})
	}
	select {
	case turns <- turn:
	case <-ctx.Done():
	}
	return nil
}

// timeout is the one error that a search has. The library's own would repeat the whole text.
func (r *regex) timeout(text string) error {
	return kindf(ErrLimit, "pattern %.40q: the search takes too long in %.40q", r.source, text)
}
