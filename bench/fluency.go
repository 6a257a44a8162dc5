package bench

import (
	"cmp"
	"maps"
	"slices"
	"unicode"
)

// Fluency is what stands out of texts that a model made: a collapsed generator repeats itself, uses few words, does not come to an end, or
// answers in another script than it was asked in, while its right choices among given answers may hardly suffer (arXiv 2510.22228).
type Fluency struct {
	Texts       int
	Tokens      float64            // a text, the mean
	Repeats     float64            // share of runs of four tokens that stood in the same text before, the mean over texts
	Distinct    [3]float64         // share of the runs of one, two and three tokens of all texts that are different ones (distinct-n, arXiv 1510.03055)
	Scripts     map[string]float64 // share of all letters, by the name that Unicode gives the script
	OtherScript float64            // share of texts, of those with letters behind prompts with letters, whose most frequent script is not the prompt's
}

// MeasureFluency counts in texts: what they continue, their text, and their tokens.
func MeasureFluency(prompts, texts []string, ids [][]int32) Fluency {
	f := Fluency{Texts: len(texts), Scripts: map[string]float64{}}
	if len(texts) == 0 {
		return f
	}
	letters, compared, strayed := 0, 0, 0
	for i, text := range texts {
		f.Tokens += float64(len(ids[i])) / float64(len(texts))
		f.Repeats += RepeatRate(ids[i]) / float64(len(texts))
		said, asked := scripts(text), scripts(prompts[i])
		for script, n := range said {
			f.Scripts[script] += float64(n)
			letters += n
		}
		if len(said) > 0 && len(asked) > 0 {
			compared++
			if most(said) != most(asked) {
				strayed++
			}
		}
	}
	for script := range f.Scripts {
		f.Scripts[script] /= float64(letters)
	}
	if compared > 0 {
		f.OtherScript = float64(strayed) / float64(compared)
	}
	for n := range f.Distinct {
		f.Distinct[n] = distinct(ids, n+1)
	}
	return f
}

// RepeatRate is the share of runs of four tokens that stood in the text before; 0 of a text too short to have one.
func RepeatRate(ids []int32) float64 {
	seen := map[[4]int32]bool{}
	again, runs := 0, 0
	for i := 0; i+4 <= len(ids); i++ {
		run := [4]int32(ids[i : i+4])
		if seen[run] {
			again++
		}
		seen[run] = true
		runs++
	}
	if runs == 0 {
		return 0
	}
	return float64(again) / float64(runs)
}

// distinct is the share of the runs of n tokens that are different ones; 0 where there is none.
func distinct(texts [][]int32, n int) float64 {
	seen := map[[3]int32]bool{}
	runs := 0
	for _, ids := range texts {
		for i := 0; i+n <= len(ids); i++ {
			run := [3]int32{-1, -1, -1}
			copy(run[:], ids[i:i+n])
			seen[run] = true
			runs++
		}
	}
	if runs == 0 {
		return 0
	}
	return float64(len(seen)) / float64(runs)
}

// scripts counts a text's letters by script; those that belong to several are not counted.
func scripts(text string) map[string]int {
	counts := map[string]int{}
	for _, r := range text {
		if unicode.IsLetter(r) {
			if script := scriptOf(r); script != "" {
				counts[script]++
			}
		}
	}
	return counts
}

// frequentScripts are looked at first.
var frequentScripts = []string{"Latin", "Han", "Cyrillic", "Arabic", "Greek", "Hiragana", "Katakana", "Hangul", "Devanagari", "Thai", "Hebrew"}

func scriptOf(r rune) string {
	for _, name := range frequentScripts {
		if unicode.Is(unicode.Scripts[name], r) {
			return name
		}
	}
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return name // a character has one script, so the order of the map does not matter
		}
	}
	return ""
}

// most is the most frequent script, of equals the first by name.
func most(counts map[string]int) string {
	return slices.MaxFunc(slices.Sorted(maps.Keys(counts)), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[a], counts[b]), cmp.Compare(b, a))
	})
}
