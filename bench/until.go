package bench

import "strings"

// CutAt ends a text before the first of some strings, and says whether it holds one. As the peer does, the strings are looked for one after
// another, each in what the ones before it have left; empty ones are not looked for.
func CutAt(text string, until []string) (cut string, found bool) {
	for _, u := range until {
		if u == "" {
			continue
		}
		if before, _, holds := strings.Cut(text, u); holds {
			text, found = before, true
		}
	}
	return text, found
}
