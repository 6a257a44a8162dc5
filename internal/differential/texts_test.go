package differential

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// characters by script, and by what else decides how a text is split and put into normal form.
var (
	scripts    = tables(unicode.Scripts)
	categories = tables(unicode.Categories)
	odd        = []rune("\u0000\u0001\t\n\v\f\r\u001c\u0085\u00a0\u00ad\u0130\u0131\u017f\u1e9e\u0345\u034f\u180e\u200b\u200c\u200d\u2028\u2029" +
		"\u2060\u2581\u3000\ufe0f\ufeff\ufffc\ufffd\ufffe\uffff\ud7ff\ue000\U0001f1e6\U0001f3fb\U0001f468" +
		"\U000e0001\U000e0100\U000f0000\U0001ffff\U0010ffff")
)

// tables are those of a map of Unicode's, by name, so that their order is always the same.
func tables(named map[string]*unicode.RangeTable) []*unicode.RangeTable {
	var all []*unicode.RangeTable
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if name != "Cs" { // surrogates are no text
			all = append(all, named[name])
		}
	}
	return all
}

// randomTexts are texts of pieces of every kind; some of them are long, some no UTF-8.
func randomTexts(random *rand.Rand, count int, words []string) []string {
	made := make([]string, count)
	for i := range made {
		var text strings.Builder
		for range 1 + random.IntN(14) {
			appendPiece(&text, random, words)
		}
		made[i] = text.String()
		if random.IntN(12) == 0 {
			made[i] = broken(random, made[i])
		}
	}
	return made
}

func appendPiece(text *strings.Builder, random *rand.Rand, words []string) {
	few := 1 + random.IntN(6)
	switch random.IntN(11) {
	case 0, 1:
		of(text, random, pick(random, scripts), few)
	case 2:
		of(text, random, pick(random, categories), few)
	case 3: // a letter and what stands above and below it
		of(text, random, unicode.L, 1)
		of(text, random, unicode.M, few)
	case 4:
		for range few {
			text.WriteRune(pick(random, odd))
		}
	case 5:
		for range few {
			text.WriteRune(anyRune(random))
		}
	case 6: // digits of any script
		of(text, random, unicode.N, few)
	case 7:
		text.WriteString(pick(random, []string{" ", "  ", "\n", "\n\n", "\r\n", "\t", " \n ", "'s", "'LL", "'ſ",
			"’re", "...", "--", "://", "()", "\u200d", "a", "I", "▁", "Ġ", "##", "<0x0A>"}))
	case 8:
		if random.IntN(8) == 0 { // a long run
			run := pick(random, []string{" ", "\n", "a", "ab", "=", "0", "é", "\u0301", "漢", "😀", "\u00a0", " \t",
				string(anyRune(random)), pick(random, words)})
			text.WriteString(strings.Repeat(run, 1<<random.IntN(13)))
			return
		}
		fallthrough
	default: // words of the vocabulary, and parts of them
		for range few {
			word := []rune(pick(random, words))
			if random.IntN(3) == 0 {
				word = word[:1+random.IntN(len(word))]
			}
			text.WriteString(string(word))
			if random.IntN(3) == 0 {
				text.WriteByte(' ')
			}
		}
	}
}

// of appends characters of a table.
func of(text *strings.Builder, random *rand.Rand, table *unicode.RangeTable, count int) {
	for range count {
		if n := random.IntN(len(table.R16) + len(table.R32)); n < len(table.R16) {
			r := table.R16[n]
			text.WriteRune(rune(r.Lo) + rune(random.IntN(int(r.Hi-r.Lo)/int(r.Stride)+1))*rune(r.Stride))
		} else {
			r := table.R32[n-len(table.R16)]
			text.WriteRune(rune(r.Lo) + rune(random.IntN(int(r.Hi-r.Lo)/int(r.Stride)+1))*rune(r.Stride))
		}
	}
}

// anyRune is any character, assigned or not, half of them of the first plane.
func anyRune(random *rand.Rand) rune {
	for {
		limit := 0x110000
		if random.IntN(2) == 0 {
			limit = 0x10000
		}
		if r := rune(random.IntN(limit)); utf8.ValidRune(r) {
			return r
		}
	}
}

// broken puts bytes into a text that are no UTF-8: a surrogate, one too long, one cut short, one beyond the last plane.
func broken(random *rand.Rand, text string) string {
	at := random.IntN(len(text) + 1)
	bytes := pick(random, []string{"\xed\xa0\x80", "\xed\xb0\x80", "\xed\xa0\xbd\xed\xb8\x80", "\xc0\x80", "\xe0\x80\xaf",
		"\xc3", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xff", "\x80"})
	return text[:at] + bytes + text[at:]
}

// What is called a text of no UTF-8 is none, and the others are texts.
func TestRandomTexts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	invalid, long := 0, 0
	for _, text := range randomTexts(random, 5000, []string{"word", " two"}) {
		if !utf8.ValidString(text) {
			invalid++
		}
		if len(text) > 2000 {
			long++
		}
	}
	if invalid < 100 || invalid > 1000 || long < 20 {
		t.Errorf("%d of 5000 texts are no UTF-8, %d are long", invalid, long)
	}
}
