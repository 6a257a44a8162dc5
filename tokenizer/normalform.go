// Unicode normal forms: canonical and compatibility decomposition, canonical order, composition (Unicode Standard Annex 15).
//
// The data is that of golang.org/x/text; the loop is our own because x/text breaks runs of more than 30 marks with U+034F, which
// the reference does not, and because the reference's tables are older (see inert in unicode_tables.go).

package tokenizer

import (
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

type normalForm struct{ compatible, compose bool }

var normalForms = map[string]normalForm{"NFC": {false, true}, "NFD": {false, false}, "NFKC": {true, true}, "NFKD": {true, false}}

// rewrite normalises the parts that are not ASCII, each with the ASCII character before it, to which a mark may belong. A part is
// taken in blocks that end where a character begins that joins nothing before it.
func (f normalForm) rewrite(w *rewriting) {
	text := w.in.text
	for i := 0; i < len(text) && w.call.err == nil; {
		if text[i] < utf8.RuneSelf {
			i++
			continue
		}
		start := max(i-1, w.at)
		i = f.blockEnd(text, i)
		if part := text[start:i]; !f.normal(part) {
			w.keep(start - w.at)
			f.block(w, part)
		}
		w.call.ended(i - start)
	}
}

const blockBytes = 1 << 12

// blockEnd returns where the part that holds i ends, or a block of it.
func (f normalForm) blockEnd(text string, i int) int {
	for start := i; i < len(text) && text[i] >= utf8.RuneSelf; {
		r, n := utf8.DecodeRuneInString(text[i:])
		if i-start >= blockBytes && startsAfresh(r) {
			break
		}
		i += n
	}
	return i
}

// startsAfresh reports that nothing before r combines with it or with what it decomposes into.
func startsAfresh(r rune) bool {
	if within(inert, r) {
		return false
	}
	text := string(r)
	if d := norm.NFKC.PropertiesString(text).Decomposition(); d != nil {
		first, _ := utf8.DecodeRune(d)
		text = string(first)
	}
	return norm.NFC.PropertiesString(text).BoundaryBefore()
}

// block writes the form of part, cluster by cluster: stretches of part whose characters stay among themselves.
func (f normalForm) block(w *rewriting, part string) {
	marks := orderMarks(f.decompose(part))
	if f.compose {
		marks = compose(marks)
	}
	first := make([]int32, len(marks)) // where the earliest of the marks from here on comes from
	lowest := int32(len(part))
	for i := len(marks) - 1; i >= 0; i-- {
		lowest = min(lowest, marks[i].start)
		first[i] = lowest
	}
	var out []byte
	done, end := int32(0), int32(0) // of part: what is written, and the end of what the cluster is made of
	for i, m := range marks {
		if first[i] >= end && end > done {
			w.exchange(int(end-done), string(out))
			out, done = out[:0], end
		}
		out, end = utf8.AppendRune(out, m.r), max(end, m.end)
	}
	w.exchange(len(part)-int(done), string(out))
}

// string is the form of a text by itself.
func (f normalForm) string(text string) string {
	out, _ := normalizer{f}.text(text) // no text grows beyond its bounds by this
	return out
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

// A mark is a character and the stretch of the part that it comes from.
type mark struct {
	r          rune
	start, end int32
}

func (f normalForm) decompose(text string) []mark {
	form := norm.NFD
	if f.compatible {
		form = norm.NFKD
	}
	marks := make([]mark, 0, len(text))
	for at, r := range text {
		i, end := int32(at), int32(at+utf8.RuneLen(r))
		if r < utf8.RuneSelf || within(inert, r) {
			marks = append(marks, mark{r, i, end})
			continue
		}
		if r >= hangulFirst && r < hangulFirst+hangulCount {
			s := r - hangulFirst
			marks = append(marks, mark{leadFirst + s/(vowelCount*tailCount), i, end}, mark{vowelFirst + s%(vowelCount*tailCount)/tailCount, i, end})
			if tail := s % tailCount; tail > 0 {
				marks = append(marks, mark{tailFirst + tail, i, end})
			}
			continue
		}
		if d := form.PropertiesString(text[at:]).Decomposition(); d != nil {
			for _, part := range string(d) {
				marks = append(marks, mark{part, i, end})
			}
			continue
		}
		marks = append(marks, mark{r, i, end})
	}
	return marks
}

// orderMarks sorts each run of marks by combining class, equal classes in place.
func orderMarks(marks []mark) []mark {
	for i := 0; i < len(marks); {
		if combiningClass(marks[i].r) == 0 {
			i++
			continue
		}
		start := i
		for i < len(marks) && combiningClass(marks[i].r) != 0 {
			i++
		}
		slices.SortStableFunc(marks[start:i], func(a, b mark) int { return int(combiningClass(a.r)) - int(combiningClass(b.r)) })
	}
	return marks
}

func combiningClass(r rune) uint8 {
	if r < 0x300 || within(inert, r) {
		return 0
	}
	var buffer [utf8.UTFMax]byte
	return norm.NFD.Properties(buffer[:utf8.EncodeRune(buffer[:], r)]).CCC()
}

// compose joins each mark to the last starter before it, unless a mark of the same or a higher class stands between.
func compose(marks []mark) []mark {
	out := marks[:0]
	starter, last := -1, -1 // index in out; class of the character before, -1 directly behind the starter
	for _, m := range marks {
		class := int(combiningClass(m.r))
		if starter >= 0 && last < class {
			if joined, ok := composePair(out[starter].r, m.r); ok {
				out[starter] = mark{joined, min(out[starter].start, m.start), max(out[starter].end, m.end)}
				continue
			}
		}
		out = append(out, m)
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
