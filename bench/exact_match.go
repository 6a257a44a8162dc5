package bench

import (
	"regexp"
	"strings"
)

// exactMatch holds a text against answers as the peer's exact_match does: both lose what ignore matches, then their letter case and
// punctuation where those do not matter.
type exactMatch struct {
	ignore                []*regexp.Regexp
	letterCase, punctuate bool // do not matter
}

// mark is 1 where one of the answers is what was said, else 0.
func (m exactMatch) mark(said string, answers []string) float64 {
	said = m.form(said)
	for _, answer := range answers {
		if m.form(answer) == said {
			return 1
		}
	}
	return 0
}

// punctuation is Python's string.punctuation.
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

func (m exactMatch) form(text string) string {
	for _, pattern := range m.ignore {
		text = pattern.ReplaceAllString(text, "")
	}
	if m.letterCase {
		text = strings.ToLower(text)
	}
	if m.punctuate {
		text = strings.Map(func(r rune) rune {
			if strings.ContainsRune(punctuation, r) {
				return -1
			}
			return r
		}, text)
	}
	return text
}

// contains is 1 where one of the answers stands somewhere in what was said, whatever the letter case, else 0.
func contains(said string, answers []string) float64 {
	for _, answer := range answers {
		if strings.Contains(strings.ToLower(said), strings.ToLower(answer)) {
			return 1
		}
	}
	return 0
}
