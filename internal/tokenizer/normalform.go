// Unicode normal forms: canonical and compatibility decomposition, canonical order, composition (Unicode Standard Annex 15).
//
// The data is that of golang.org/x/text; the loop is our own because x/text breaks runs of more than 30 marks with U+034F, which
// the reference does not, and because the reference's tables are older (see inert in unicode_tables.go).
package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

type normalForm struct{ compatible, compose bool }

var normalForms = map[string]normalForm{"NFC": {false, true}, "NFD": {false, false}, "NFKC": {true, true}, "NFKD": {true, false}}

func (f normalForm) normalize(text string) (string, bool, error) { return f.string(text), false, nil }

// string normalises the parts that are not ASCII, each with the ASCII character before it, to which a mark may belong.
func (f normalForm) string(text string) string {
	var out strings.Builder
	copied := 0
	for i := 0; i < len(text); {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		start := max(i-1, copied)
		for i < len(text) && text[i] >= utf8.RuneSelf {
			i++
		}
		if part := text[start:i]; !f.normal(part) {
			runes := orderMarks(f.decompose(part))
			if f.compose {
				runes = compose(runes)
			}
			out.WriteString(text[copied:start])
			out.WriteString(string(runes))
			copied = i
		}
	}
	if copied == 0 {
		return text
	}
	out.WriteString(text[copied:])
	return out.String()
}

// normal reports that the form leaves part as it is. An inert character never makes text less normal.
func (f normalForm) normal(part string) bool {
	switch {
	case f.compatible && f.compose:
		return norm.NFKC.IsNormalString(part)
	case f.compatible:
		return norm.NFKD.IsNormalString(part)
	case f.compose:
		return norm.NFC.IsNormalString(part)
	}
	return norm.NFD.IsNormalString(part)
}

func (f normalForm) decompose(text string) []rune {
	form := norm.NFD
	if f.compatible {
		form = norm.NFKD
	}
	runes := make([]rune, 0, len(text))
	for i, r := range text {
		if r < utf8.RuneSelf || within(inert, r) {
			runes = append(runes, r)
			continue
		}
		if r >= hangulFirst && r < hangulFirst+hangulCount {
			s := r - hangulFirst
			runes = append(runes, leadFirst+s/(vowelCount*tailCount), vowelFirst+s%(vowelCount*tailCount)/tailCount)
			if tail := s % tailCount; tail > 0 {
				runes = append(runes, tailFirst+tail)
			}
			continue
		}
		if d := form.PropertiesString(text[i:]).Decomposition(); d != nil {
			for _, part := range string(d) {
				runes = append(runes, part)
			}
			continue
		}
		runes = append(runes, r)
	}
	return runes
}

// orderMarks sorts each run of marks by combining class, equal classes in place.
func orderMarks(runes []rune) []rune {
	for i := 0; i < len(runes); {
		if combiningClass(runes[i]) == 0 {
			i++
			continue
		}
		start := i
		for i < len(runes) && combiningClass(runes[i]) != 0 {
			i++
		}
		slices.SortStableFunc(runes[start:i], func(a, b rune) int { return int(combiningClass(a)) - int(combiningClass(b)) })
	}
	return runes
}

func combiningClass(r rune) uint8 {
	if r < 0x300 || within(inert, r) {
		return 0
	}
	var buffer [utf8.UTFMax]byte
	return norm.NFD.Properties(buffer[:utf8.EncodeRune(buffer[:], r)]).CCC()
}

// compose joins each mark to the last starter before it, unless a mark of the same or a higher class stands between.
func compose(runes []rune) []rune {
	out := runes[:0]
	starter, last := -1, -1 // index in out; class of the character before, -1 directly behind the starter
	for _, r := range runes {
		class := int(combiningClass(r))
		if starter >= 0 && last < class {
			if joined, ok := composePair(out[starter], r); ok {
				out[starter] = joined
				continue
			}
		}
		out = append(out, r)
		if class == 0 {
			starter, last = len(out)-1, -1
		} else {
			last = class
		}
	}
	return out
}

const (
	hangulFirst, hangulCount = 0xac00, 11172
	leadFirst, leadCount     = 0x1100, 19
	vowelFirst, vowelCount   = 0x1161, 21
	tailFirst, tailCount     = 0x11a7, 28
)

func composePair(a, b rune) (rune, bool) {
	if lead := a - leadFirst; lead >= 0 && lead < leadCount {
		if vowel := b - vowelFirst; vowel >= 0 && vowel < vowelCount {
			return hangulFirst + (lead*vowelCount+vowel)*tailCount, true
		}
	}
	if s := a - hangulFirst; s >= 0 && s < hangulCount && s%tailCount == 0 {
		if tail := b - tailFirst; tail > 0 && tail < tailCount {
			return a + tail, true
		}
	}
	r, ok := compositions()[[2]rune{a, b}]
	return r, ok
}

// compositions is derived from the decompositions: a character that is its own NFC and decomposes into d₁…dₙ is made of the
// composition of d₁…dₙ₋₁ and dₙ.
var compositions = sync.OnceValue(func() map[[2]rune]rune {
	pairs := map[[2]rune]rune{}
	for r := rune(0xa0); r <= 0x2fa1d; r++ {
		if r >= hangulFirst && r < hangulFirst+hangulCount || r >= 0xd800 && r < 0xe000 || within(inert, r) {
			continue
		}
		text := string(r)
		d := norm.NFD.PropertiesString(text).Decomposition()
		if d == nil || !norm.NFC.IsNormalString(text) {
			continue
		}
		_, n := utf8.DecodeLastRune(d)
		head := []rune(norm.NFC.String(string(d[:len(d)-n])))
		last, _ := utf8.DecodeLastRune(d)
		if len(head) == 1 {
			pairs[[2]rune{head[0], last}] = r
		}
	}
	return pairs
})
