// Classes of characters as split patterns name them: \p{L}, \p{N}, \s and the cases, in one table of a byte per character.

package tokenizer

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	classLetter = 1 << iota // \p{L}
	classNumber             // \p{N}
	classSpace              // \s
	classMark               // \p{M}
	classUpper              // \p{Lu} \p{Lt} \p{Lm} \p{Lo} \p{M}
	classLower              // \p{Ll} \p{Lm} \p{Lo} \p{M}
	classEnd                // behind the last character
	classSymbol             // \p{P} \p{S}
)

// classTable is 1.1 MB, filled on first use in about 2 ms.
var classTable = sync.OnceValue(func() *[unicode.MaxRune + 1]uint8 {
	table := new([unicode.MaxRune + 1]uint8)
	set := func(class uint8, ranges *unicode.RangeTable, newer []span) {
		for _, r := range ranges.R16 {
			for c := int(r.Lo); c <= int(r.Hi); c += int(r.Stride) {
				table[c] |= class
			}
		}
		for _, r := range ranges.R32 {
			for c := int(r.Lo); c <= int(r.Hi); c += int(r.Stride) {
				table[c] |= class
			}
		}
		for _, s := range newer {
			for c := s.first; c <= s.last; c++ {
				table[c] |= class
			}
		}
	}
	set(classLetter|classUpper, unicode.Lu, newUpper)
	set(classLetter|classUpper, unicode.Lt, nil)
	set(classLetter|classLower, unicode.Ll, newLower)
	set(classLetter|classUpper|classLower, unicode.Lm, newModifier)
	set(classLetter|classUpper|classLower, unicode.Lo, newOther)
	set(classMark|classUpper|classLower, unicode.M, newMark)
	set(classNumber, unicode.N, newNumber)
	set(classSymbol, unicode.P, newPunctuation)
	set(classSymbol, unicode.S, newSymbol)
	set(classSpace, unicode.White_Space, nil)
	return table
})

// runeAt returns the character at i, its class and its length; behind the end -1, classEnd and 0.
func runeAt(classes *[unicode.MaxRune + 1]uint8, text string, i int) (rune, uint8, int) {
	if i >= len(text) {
		return -1, classEnd, 0
	}
	if c := text[i]; c < utf8.RuneSelf {
		return rune(c), classes[c], 1
	}
	r, n := utf8.DecodeRuneInString(text[i:])
	return r, classes[r], n
}

func isSpace(r rune) bool { return unicode.IsSpace(r) }

// isWord is \w of the reference's plain regular expressions: letters, marks, digits, connectors, joiners and what else is alphabetic.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
	}
	return classTable()[r]&(classLetter|classMark) != 0 || unicode.In(r, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic,
		unicode.Join_Control) ||
		within(newNumber, r)
}

func isNumeric(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= '0' && r <= '9'
	}
	return classTable()[r]&classNumber != 0 || within(newNumeric, r)
}

// isPunctuation includes the ASCII symbols.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < 0x7f && !isWord(r) || r == '_'
	}
	return unicode.IsPunct(r) && !within(laterPunctuation, r) || within(oncePunctuation, r)
}

func isCombining(r rune) bool {
	return r >= utf8.RuneSelf && (unicode.Is(unicode.M, r) && !within(laterCombining, r) || within(onceCombining, r))
}

func isNonspacing(r rune) bool {
	return r >= utf8.RuneSelf && (unicode.Is(unicode.Mn, r) && !within(laterNonspacing, r) || within(onceNonspacing, r))
}

// appendLower appends the lower-case form of r.
func appendLower(text []byte, r rune) []byte {
	switch {
	case r < utf8.RuneSelf:
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return append(text, byte(r))
	case r == 'İ': // the one letter whose lower case is two characters
		return append(text, "i\u0307"...)
	}
	for _, m := range newLowercase {
		if m.first <= r && r <= m.last {
			return utf8.AppendRune(text, r+m.shift)
		}
	}
	return utf8.AppendRune(text, unicode.ToLower(r))
}
