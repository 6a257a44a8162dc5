package tokenizer

// patternDeepseek3 is the last pass of DeepSeek V3's tokenizer (its tokenizer.json): digits and Chinese have been cut off before.
const patternDeepseek3 = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" +
	"| ?[\\p{P}\\p{S}]+[\\r\\n]*|" + anySpace

// scanDeepseek3 is a matcher, because numbers that stand alone are in none of its alternatives.
type scanDeepseek3 struct{ classes *classBytes }

func (s scanDeepseek3) begins(c byte) bool { return true }

func (s scanDeepseek3) after(text string, i int) int { return nextRune(text, i) }

func (s scanDeepseek3) match(text string, i int) int {
	r, c, n := runeAt(s.classes, text, i)
	if r < 0x80 && c&classSymbol != 0 { // all of ASCII's are in the first alternative
		j := i + n
		for j < len(text) && (text[j]|0x20) >= 'a' && (text[j]|0x20) <= 'z' {
			j++
		}
		if j > i+n {
			return j
		}
	}
	const word = classLetter | classMark
	if c&word != 0 {
		return classRun(s.classes, text, i, word)
	}
	if r != '\r' && r != '\n' && c&classSymbol == 0 {
		if _, after, _ := runeAt(s.classes, text, i+n); after&word != 0 {
			return classRun(s.classes, text, i+n, word)
		}
	}
	j := i
	if r == ' ' {
		j++
	}
	if _, after, _ := runeAt(s.classes, text, j); after&classSymbol != 0 {
		j = classRun(s.classes, text, j, classSymbol)
		for j < len(text) && (text[j] == '\r' || text[j] == '\n') {
			j++
		}
		return j
	}
	if c&classSpace != 0 {
		return lineRun(s.classes, text, i)
	}
	return i
}
