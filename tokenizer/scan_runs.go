// Scanners for split patterns that are one run of characters of a class, perhaps behind a space: `\s?[class]+` and its kin. Tokenizers
// that cut in several passes are made of them (Falcon, DeepSeek, BLOOM). They are recognised by their form; the class is any that the
// translator of regular expressions knows too. The slow twin of each is its pattern run by regexp2.

package tokenizer

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A matcher returns the end of the match that begins at text[i], or i where none does. Unlike a scanner's, its pattern leaves text out.
type matcher interface {
	match(text string, i int) int
	begins(c byte) bool           // whether a match may begin with this ASCII character
	after(text string, i int) int // the next place where a match may begin, as none does at i
}

// matcherFor is the matcher of a pattern, nil where its form is not known.
func matcherFor(pattern string) matcher {
	switch pattern {
	case `\s`:
		return classRunMatcher{class: spaceSet(), least: 1, most: 1}
	case `\s+$`:
		return spaceAtEnd{}
	case patternDeepseek3:
		return scanDeepseek3{classTable()}
	}
	r := classRunMatcher{least: 1}
	rest := pattern
	if after, found := strings.CutPrefix(rest, `\s?`); found {
		rest, r.space = after, isSpace
	} else if after, found := strings.CutPrefix(rest, ` ?`); found {
		rest, r.space = after, func(c rune) bool { return c == ' ' }
	}
	p := classParser{in: rest}
	if r.class = p.class(); r.class == nil {
		return nil
	}
	switch count := p.in[p.i:]; {
	case count == "+":
	case count == "" && r.space == nil:
		r.most = 1
	case count == "{1,3}":
		r.most = 3
	case r.space == nil && count == rest[:p.i]+rest[:p.i]: // a class three times over
		r.least, r.most = 3, 3
	default:
		return nil
	}
	return r
}

func spaceSet() *charSet {
	s := new(charSet)
	s.addTable(unicode.White_Space)
	return s.finish()
}

// classRunMatcher is space?[class]{least,most}; most 0: without end.
type classRunMatcher struct {
	space       func(rune) bool // nil: no space in front
	class       *charSet
	least, most int
}

func (r classRunMatcher) match(text string, i int) int {
	if r.space != nil {
		if c, n := decode(text, i); r.space(c) {
			if end := r.run(text, i+n); end > i+n {
				return end
			}
		}
	}
	return r.run(text, i)
}

func (r classRunMatcher) after(text string, i int) int { return nextRune(text, i) }

func (r classRunMatcher) begins(c byte) bool {
	return r.class.has(rune(c)) || r.space != nil && r.space(rune(c))
}

// run is the end of the class's run at i, or i where it is too short.
func (r classRunMatcher) run(text string, i int) int {
	j, count := i, 0
	for j < len(text) && (r.most == 0 || count < r.most) {
		c, n := decode(text, j)
		if !r.class.has(c) {
			break
		}
		j, count = j+n, count+1
	}
	if count < r.least {
		return i
	}
	return j
}

func nextRune(text string, i int) int {
	_, n := decode(text, i)
	return i + n
}

func decode(text string, i int) (rune, int) {
	if c := text[i]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(text[i:])
}

// spaceAtEnd is \s+$: white space up to the end of the text or, its last such place, of a line.
type spaceAtEnd struct{}

func (spaceAtEnd) match(text string, i int) int {
	j, line := i, i
	for j < len(text) {
		c, n := decode(text, j)
		if !isSpace(c) {
			return line
		}
		if c == '\n' && j > i {
			line = j
		}
		j += n
	}
	return j
}

// after skips the run of white space: where its beginning does not reach the end of a line, no part of it does.
func (spaceAtEnd) after(text string, i int) int {
	if end := spaceAfter(text, i); end > i {
		return end
	}
	return nextRune(text, i)
}

func (spaceAtEnd) begins(c byte) bool { return isSpace(rune(c)) }

// charSet is a set of characters: spans in ascending order, and a bit for each that is ASCII.
type charSet struct {
	ascii   [2]uint64
	spans   []span
	negated bool
}

func (s *charSet) has(c rune) bool {
	if c < utf8.RuneSelf {
		return s.ascii[c>>6]>>(c&63)&1 != 0
	}
	_, found := slices.BinarySearchFunc(s.spans, c, func(r span, c rune) int {
		switch {
		case r.last < c:
			return -1
		case r.first > c:
			return 1
		}
		return 0
	})
	return found != s.negated
}

func (s *charSet) add(first, last rune) { s.spans = append(s.spans, span{first, last}) }

// finish orders and joins the spans; nothing is added after it.
func (s *charSet) finish() *charSet {
	slices.SortFunc(s.spans, func(a, b span) int { return int(a.first - b.first) })
	joined := s.spans[:0]
	for _, r := range s.spans {
		if n := len(joined); n > 0 && r.first <= joined[n-1].last+1 {
			joined[n-1].last = max(joined[n-1].last, r.last)
		} else {
			joined = append(joined, r)
		}
	}
	s.spans = slices.Clip(joined)
	for _, r := range s.spans {
		for c := r.first; c <= r.last && c < utf8.RuneSelf; c++ {
			s.ascii[c>>6] |= 1 << (c & 63)
		}
	}
	if s.negated {
		s.ascii[0], s.ascii[1] = ^s.ascii[0], ^s.ascii[1]
	}
	return s
}

// addClass adds \p{name} as the translator means it, and says whether it knows the name.
func (s *charSet) addClass(name string) bool {
	table := map[string]*unicode.RangeTable{"L": unicode.L, "M": unicode.M, "N": unicode.N, "P": unicode.P, "S": unicode.S}[name]
	if table == nil {
		return false
	}
	s.addTable(table)
	for _, spans := range younger[name] {
		for _, span := range spans {
			s.add(span.first, span.last)
		}
	}
	return true
}

func (s *charSet) addTable(table *unicode.RangeTable) {
	add := func(first, last, stride rune) {
		if stride == 1 {
			s.add(first, last)
			return
		}
		for c := first; c <= last; c += stride {
			s.add(c, c)
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
}

// classParser reads one class: \p{name} or brackets.
type classParser struct {
	in string
	i  int
}

// class is the set at the parser's place, nil where something in it is not known here.
func (p *classParser) class() *charSet {
	s := new(charSet)
	if strings.HasPrefix(p.in, `\p{`) {
		if _, ok := p.member(s); !ok {
			return nil
		}
		return s.finish()
	}
	if !strings.HasPrefix(p.in, "[") {
		return nil
	}
	p.i = 1
	if s.negated = strings.HasPrefix(p.in[p.i:], "^"); s.negated {
		p.i++
	}
	for depth := 1; depth > 0; {
		switch {
		case p.i >= len(p.in), strings.HasPrefix(p.in[p.i:], "[^"), strings.HasPrefix(p.in[p.i:], "[:"), strings.HasPrefix(p.in[p.i:],
			"[]"), strings.HasPrefix(p.in[p.i:], "&&"):
			return nil
		case p.in[p.i] == ']':
			p.i, depth = p.i+1, depth-1
		case p.in[p.i] == '[': // a class inside adds its members
			p.i, depth = p.i+1, depth+1
		default:
			first, ok := p.member(s)
			if !ok {
				return nil
			}
			last := first
			if first >= 0 && strings.HasPrefix(p.in[p.i:], "-") && !strings.HasPrefix(p.in[p.i:], "-]") {
				p.i++
				if last, ok = p.member(s); !ok || last < first {
					return nil
				}
			}
			if first >= 0 {
				s.add(first, last)
			}
		}
	}
	return s.finish()
}

// member reads one character, or adds a class of them and gives -1.
func (p *classParser) member(s *charSet) (rune, bool) {
	if p.i >= len(p.in) {
		return 0, false
	}
	if p.in[p.i] != '\\' {
		c, n := utf8.DecodeRuneInString(p.in[p.i:])
		p.i += n
		return c, true
	}
	rest := p.in[p.i+1:]
	if rest == "" {
		return 0, false
	}
	code := func(digits string, length int) (rune, bool) {
		c, err := strconv.ParseUint(digits, 16, 32)
		p.i += length
		return rune(c), err == nil && c <= unicode.MaxRune
	}
	end := strings.IndexByte(rest, '}')
	switch c := rest[0]; {
	case c == 'p' && end > 2 && rest[1] == '{':
		p.i += end + 2
		return -1, s.addClass(rest[2:end])
	case c == 'x' && end > 2 && rest[1] == '{':
		return code(rest[2:end], end+2)
	case c == 'u' && len(rest) > 4:
		return code(rest[1:5], 6)
	case c == 's':
		p.i += 2
		s.addTable(unicode.White_Space)
		return -1, true
	case c == 'r', c == 'n':
		p.i += 2
		return map[byte]rune{'r': '\r', 'n': '\n'}[c], true
	case c < utf8.RuneSelf && !isWord(rune(c)):
		p.i += 2
		return rune(c), true
	}
	return 0, false
}
