package bench

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// space says whether a character is white space to Python's str.isspace, which the peer's rules are written in: Go's, and the four
// separators of ASCII.
func space(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// trim is Python's str.strip.
func trim(s string) string { return strings.TrimFunc(s, space) }

// words counts the parts that re.split(r"\s+", s) makes: one more than the runs of white space, even for the empty string.
func words(s string) int {
	count, in := 1, false
	for _, r := range s {
		now := space(r)
		if now && !in {
			count++
		}
		in = now
	}
	return count
}

// capitalise is Python's str.capitalize: the first character as in a title, the rest lowered.
func capitalise(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToTitle(first)) + strings.ToLower(s[size:])
}
