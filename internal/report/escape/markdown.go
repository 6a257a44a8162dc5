package escape

import (
	"strings"
	"unicode"
)

// Markdown is text for one line of Markdown, also inside a table (CommonMark 0.31 section 2.4, GitHub's tables and autolinks): no HTML, no
// link, no emphasis, no heading, no end of the cell. A name such as small_world_qa stays as it is.
func Markdown(s string) string {
	text := []rune(Visible(s))
	var b strings.Builder
	for i, r := range text {
		switch {
		case strings.ContainsRune("\\`*[]<>|~$", r), r == '_' && !(wordAt(text, i-1) && wordAt(text, i+1)):
			b.WriteByte('\\')
		case r == '&': // an entity may stand for any of the others
			b.WriteString("&amp;")
			continue
		case i == 0 && strings.ContainsRune("#-+=", r), (r == '.' || r == ')') && numbered(text[:i]) && !wordAt(text, i+1):
			b.WriteByte('\\')
		case r == ':' && follows(text, i+1, "//"), r == '.' && precedes(text, i, "www"):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		// An address of mail is a link whatever is escaped in it; a word joiner, which has no width, parts it.
		if r == '@' && wordAt(text, i-1) && wordAt(text, i+1) {
			b.WriteRune('\u2060')
		}
	}
	return b.String()
}

// numbered says whether a line begins as the item of a numbered list would.
func numbered(begin []rune) bool {
	for _, r := range begin {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(begin) > 0 && len(begin) < 10
}

func wordAt(text []rune, i int) bool {
	return i >= 0 && i < len(text) && (unicode.IsLetter(text[i]) || unicode.IsDigit(text[i]) || strings.ContainsRune("_-+.", text[i]))
}

func follows(text []rune, i int, what string) bool {
	return len(text) >= i+len(what) && string(text[i:i+len(what)]) == what
}

func precedes(text []rune, i int, what string) bool {
	return i >= len(what) && strings.EqualFold(string(text[i-len(what):i]), what)
}
