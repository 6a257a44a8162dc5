// Hand-written scanners for the split patterns that most models use. A pattern is recognised by equality with its text; the scanner
// returns the end of the word that the pattern would match. Each of these patterns matches every character of every text, so
// scanning from word to word covers it. The slow twin of each is its pattern run by regexp2.

package tokenizer

import "unicode"

// A scanner returns the end of the word that begins at text[i], i < len(text).
type scanner interface {
	next(text string, i int) int
}

const (
	patternGPT2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	contraction   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	anySpace      = `\s*[\r\n]+|\s+(?!\S)|\s+`
	patternLlama3 = contraction + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|` + anySpace
	patternQwen2  = contraction + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|` + anySpace
	toLowerCase   = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	toUpperCase   = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
	withSlashes   = ` ?[^\s\p{L}\p{N}]+[\r\n/]*|` + anySpace
	patternO200k  = toLowerCase + contraction + `?|` + toUpperCase + contraction + `?|\p{N}{1,3}|` + withSlashes
	patternTekken = toLowerCase + `|` + toUpperCase + `|\p{N}|` + withSlashes
)

func scannerFor(pattern string) scanner {
	classes := classTable()
	switch pattern {
	case patternGPT2, `'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`:
		return scanGPT2{classes}
	case patternLlama3,
		// Published spellings of the same: the possessive forms give up nothing that a later alternative would take.
		contraction + `|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`,
		`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`:
		return scanLlama3{classes, 3}
	case patternQwen2:
		return scanLlama3{classes, 1}
	case patternO200k:
		return scanCased{classes, 3, true}
	case patternTekken:
		return scanCased{classes, 1, false}
	}
	return nil
}

type classBytes = [unicode.MaxRune + 1]uint8

// classRun returns the end of the run of characters of any class in mask; mask 0 stands for none of letter, number and space.
func classRun(classes *classBytes, text string, i int, mask uint8) int {
	if mask == 0 {
		for i < len(text) {
			_, c, n := runeAt(classes, text, i)
			if c&(classLetter|classNumber|classSpace) != 0 {
				break
			}
			i += n
		}
		return i
	}
	for i < len(text) {
		_, c, n := runeAt(classes, text, i)
		if c&mask == 0 {
			break
		}
		i += n
	}
	return i
}

// contractionLength returns the length of 's 't 're 've 'm 'll 'd at text[i], or 0. Under fold, case does not matter; "ſ" is an s.
func contractionLength(text string, i int, fold bool) int {
	if text[i] != '\'' || i+1 >= len(text) {
		return 0
	}
	letter := func(j int) byte {
		if j >= len(text) {
			return 0
		}
		if c := text[j]; fold && c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return text[j]
	}
	switch first := letter(i + 1); first {
	case 's', 't', 'm', 'd':
		return 2
	case 'r', 'v', 'l':
		second := letter(i + 2)
		if second == 'e' && first != 'l' || second == 'l' && first == 'l' {
			return 3
		}
	case "ſ"[0]:
		if fold && i+2 < len(text) && text[i+2] == "ſ"[1] {
			return 3
		}
	}
	return 0
}

// spaceRun is \s+(?!\S)|\s+: the run of white space, without its last character where a word follows and more than one is there.
func spaceRun(classes *classBytes, text string, i int) int {
	last, j := i, i
	for {
		_, c, n := runeAt(classes, text, j)
		if c&classSpace == 0 {
			break
		}
		last, j = j, j+n
	}
	if j == len(text) || last == i {
		return j
	}
	return last
}

// lineRun is \s*[\r\n]+|\s+(?!\S)|\s+: a run of white space up to its last line end, else as spaceRun.
func lineRun(classes *classBytes, text string, i int) int {
	last, j, line := i, i, -1
	for {
		r, c, n := runeAt(classes, text, j)
		if c&classSpace == 0 {
			break
		}
		last, j = j, j+n
		if r == '\r' || r == '\n' {
			line = j
		}
	}
	switch {
	case line > 0:
		return line
	case j == len(text) || last == i:
		return j
	}
	return last
}

// digitRun is \p{N}{1,most}.
func digitRun(classes *classBytes, text string, i, most int) int {
	for range most {
		_, c, n := runeAt(classes, text, i)
		if c&classNumber == 0 {
			break
		}
		i += n
	}
	return i
}

type scanGPT2 struct{ classes *classBytes }

func (s scanGPT2) next(text string, i int) int {
	if n := contractionLength(text, i, false); n > 0 {
		return i + n
	}
	j := i
	if text[j] == ' ' {
		j++
	}
	switch _, c, _ := runeAt(s.classes, text, j); {
	case c&classLetter != 0:
		return classRun(s.classes, text, j, classLetter)
	case c&classNumber != 0:
		return classRun(s.classes, text, j, classNumber)
	case c&(classSpace|classEnd) == 0:
		return classRun(s.classes, text, j, 0)
	}
	return spaceRun(s.classes, text, i)
}

type scanLlama3 struct {
	classes *classBytes
	digits  int
}

func (s scanLlama3) next(text string, i int) int {
	if n := contractionLength(text, i, true); n > 0 {
		return i + n
	}
	r, c, n := runeAt(s.classes, text, i)
	switch {
	case c&classLetter != 0:
		return classRun(s.classes, text, i, classLetter)
	case c&classNumber != 0:
		return digitRun(s.classes, text, i, s.digits)
	case r != '\r' && r != '\n':
		if _, after, _ := runeAt(s.classes, text, i+n); after&classLetter != 0 {
			return classRun(s.classes, text, i+n, classLetter)
		}
	}
	if end := symbolRun(s.classes, text, i, false); end > 0 {
		return end
	}
	return lineRun(s.classes, text, i)
}

// symbolRun is " ?[^\s\p{L}\p{N}]+[\r\n]*", with slashes at the end too if asked; 0 where it does not match.
func symbolRun(classes *classBytes, text string, i int, slashes bool) int {
	j := i
	if text[j] == ' ' {
		j++
	}
	if _, c, _ := runeAt(classes, text, j); c&(classLetter|classNumber|classSpace|classEnd) != 0 {
		return 0
	}
	j = classRun(classes, text, j, 0)
	for j < len(text) && (text[j] == '\r' || text[j] == '\n' || slashes && text[j] == '/') {
		j++
	}
	return j
}

// scanCased is the family that cuts where lower case turns to upper case.
type scanCased struct {
	classes      *classBytes
	digits       int
	contractions bool
}

func (s scanCased) next(text string, i int) int {
	r, c, n := runeAt(s.classes, text, i)
	prefix := r != '\r' && r != '\n' && c&(classLetter|classNumber) == 0
	end := 0
	if prefix {
		end = s.lower(text, i+n)
	}
	if end == 0 {
		end = s.lower(text, i)
	}
	if end == 0 && prefix {
		end = s.upper(text, i+n)
	}
	if end == 0 {
		end = s.upper(text, i)
	}
	if end > 0 {
		if s.contractions && end < len(text) {
			end += contractionLength(text, end, true)
		}
		return end
	}
	if c&classNumber != 0 {
		return digitRun(s.classes, text, i, s.digits)
	}
	if end := symbolRun(s.classes, text, i, true); end > 0 {
		return end
	}
	return lineRun(s.classes, text, i)
}

// lower is [upper]*[lower]+ at i, 0 where it does not match. What is both upper and lower is given back to the second part when
// nothing else is left for it.
func (s scanCased) lower(text string, i int) int {
	j, both := i, 0 // both: end of the last character in the run that is of either case
	for {
		_, c, n := runeAt(s.classes, text, j)
		if c&classUpper == 0 {
			break
		}
		j += n
		if c&classLower != 0 {
			both = j
		}
	}
	if end := classRun(s.classes, text, j, classLower); end > j {
		return end
	}
	return both
}

// upper is [upper]+[lower]* at i, 0 where it does not match.
func (s scanCased) upper(text string, i int) int {
	j := classRun(s.classes, text, i, classUpper)
	if j == i {
		return 0
	}
	return classRun(s.classes, text, j, classLower)
}
