// Translating Oniguruma's regular expressions into those of regexp2: possessive quantifiers become atomic groups, classes get the
// characters that are younger than Go's tables, and what has no counterpart is an error that names it.

package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// younger lists, by class, the characters that Go's tables miss.
var younger = map[string][][]span{
	"L": {newUpper, newLower, newModifier, newOther}, "Letter": {newUpper, newLower, newModifier, newOther},
	"Lu": {newUpper}, "Ll": {newLower}, "Lm": {newModifier}, "Lo": {newOther}, "M": {newMark},
	"N": {newNumber}, "Nd": {newNumber}, "P": {newPunctuation}, "S": {newSymbol},
	"Han": {{{0x2ebf0, 0x2ee5d}}},
	"w": {newUpper, newLower, newModifier, newOther, newMark, newNumber,
		{{0xb2, 0xb3}, {0xb9, 0xb9}, {0xbc, 0xbe}, {0x24b6, 0x24e9}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189}}},
}

var classBody = map[string]string{"w": `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}`, "d": `\p{Nd}`, "h": `0-9a-fA-F`}

// members spells a class for use inside brackets.
func members(class string) string {
	var out strings.Builder
	name := class
	if body, ok := classBody[class]; ok {
		out.WriteString(body)
		if class == "d" {
			name = "Nd"
		}
	} else {
		out.WriteString(`\p{` + class + `}`)
	}
	for _, spans := range younger[name] {
		for _, s := range spans {
			out.WriteRune(s.first)
			out.WriteByte('-')
			out.WriteRune(s.last)
		}
	}
	return out.String()
}

type translator struct {
	in    string
	i     int
	out   []byte
	atom  int   // where in out the last atom begins, -1 where there is none to quantify
	opens []int // where in out the open groups begin
}

func translate(pattern string) (string, error) {
	if !utf8.ValidString(pattern) {
		return "", fmt.Errorf("is not UTF-8")
	}
	t := &translator{in: pattern, atom: -1}
	for t.i < len(t.in) {
		if err := t.step(); err != nil {
			return "", fmt.Errorf("at byte %d: %w", t.i, err)
		}
	}
	return string(t.out), nil
}

func (t *translator) step() error {
	switch c := t.in[t.i]; c {
	case '\\':
		t.atom = len(t.out)
		return t.escape(false)
	case '[':
		t.atom = len(t.out)
		return t.brackets()
	case '(':
		t.opens = append(t.opens, len(t.out))
		t.atom = -1
		t.copy(1)
		if strings.HasPrefix(t.in[t.i:], "?") { // look-ahead, atomic, options: the same in both dialects
			t.copy(1)
		}
	case ')':
		t.atom = -1
		if n := len(t.opens); n > 0 {
			t.atom, t.opens = t.opens[n-1], t.opens[:n-1]
		}
		t.copy(1)
	case '*', '+', '?':
		return t.quantify(1, true)
	case '{':
		end := strings.IndexByte(t.in[t.i:], '}')
		if end < 0 || strings.Trim(t.in[t.i+1:t.i+end], "0123456789,") != "" || end == 1 {
			t.atom = len(t.out)
			t.out = append(t.out, `\{`...)
			t.i++
			return nil
		}
		return t.quantify(end+1, false)
	case '|':
		t.atom = -1
		t.copy(1)
	default:
		_, n := utf8.DecodeRuneInString(t.in[t.i:])
		t.atom = len(t.out)
		t.copy(n)
	}
	return nil
}

func (t *translator) copy(n int) {
	t.out = append(t.out, t.in[t.i:t.i+n]...)
	t.i += n
}

// quantify copies a quantifier of n bytes. A + behind a simple one makes it possessive; behind {m,n} it repeats the whole.
func (t *translator) quantify(n int, simple bool) error {
	if t.atom < 0 {
		return fmt.Errorf("%q has nothing to repeat", t.in[t.i:t.i+n])
	}
	t.copy(n)
	if t.i >= len(t.in) || t.in[t.i] != '+' {
		if t.i < len(t.in) && t.in[t.i] == '?' {
			t.copy(1)
		}
		return nil
	}
	t.i++
	opening, closing := "(?>", ")"
	if !simple {
		opening, closing = "(?:", ")+"
	}
	tail := string(t.out[t.atom:])
	t.out = append(t.out[:t.atom], opening+tail+closing...)
	return nil
}

// escape translates a backslash sequence, inside brackets or out.
func (t *translator) escape(inside bool) error {
	if t.i+1 >= len(t.in) {
		return fmt.Errorf("ends in a backslash")
	}
	class := func(name string, negated bool) error {
		switch {
		case inside && negated:
			t.out = append(t.out, (`\P{` + name + `}`)...)
			if _, ok := classBody[name]; ok {
				return fmt.Errorf(`\%s inside brackets is not supported`, strings.ToUpper(name))
			}
		case inside:
			t.out = append(t.out, members(name)...)
		case negated:
			t.out = append(t.out, ("[^" + members(name) + "]")...)
		default:
			t.out = append(t.out, ("[" + members(name) + "]")...)
		}
		return nil
	}
	switch c := t.in[t.i+1]; c {
	case 'w', 'd', 'h', 'W', 'D', 'H':
		t.i += 2
		return class(strings.ToLower(string(c)), c < 'a')
	case 'p', 'P':
		end := strings.IndexByte(t.in[t.i:], '}')
		if end < 4 || t.in[t.i+2] != '{' {
			return fmt.Errorf(`\%c without {name}`, c)
		}
		name, negated := t.in[t.i+3:t.i+end], c == 'P'
		if strings.HasPrefix(name, "^") {
			name, negated = name[1:], !negated
		}
		t.i += end + 1
		return class(name, negated)
	case 'x', 'u':
		digits, skip := t.in[t.i+2:], 2
		switch end := strings.IndexByte(digits, '}'); {
		case c == 'x' && end > 0 && digits[0] == '{':
			digits, skip = digits[1:end], end+3
		case c == 'x':
			digits, skip = digits[:min(2, len(digits))], 4
		default:
			digits, skip = digits[:min(4, len(digits))], 6
		}
		code, err := strconv.ParseUint(digits, 16, 32)
		if err != nil || !utf8.ValidRune(rune(code)) || t.i+skip > len(t.in) {
			return fmt.Errorf(`%.16q is no character`, `\`+string(c)+digits)
		}
		t.i += skip
		if code < utf8.RuneSelf {
			t.out = append(t.out, fmt.Sprintf(`\x%02x`, code)...)
		} else {
			t.out = utf8.AppendRune(t.out, rune(code))
		}
	case 'R', 'X', 'K', 'N', 'O', 'y', 'Y', 'g', 'k', 'c', 'C', 'G':
		return fmt.Errorf(`\%c is not supported`, c)
	default:
		_, n := utf8.DecodeRuneInString(t.in[t.i+1:])
		t.copy(1 + n)
	}
	return nil
}

// brackets translates a bracketed class. A class inside a class adds its members; a negated one inside, and an intersection, have no
// counterpart.
func (t *translator) brackets() error {
	t.copy(1)
	if strings.HasPrefix(t.in[t.i:], "^") {
		t.copy(1)
	}
	first := true
	for depth := 1; t.i < len(t.in); first = false {
		switch c := t.in[t.i]; {
		case c == ']' && !first:
			if depth--; depth == 0 {
				t.copy(1)
				return nil
			}
			t.i++
		case c == ']':
			t.out = append(t.out, `\]`...)
			t.i++
		case strings.HasPrefix(t.in[t.i:], "[^"), strings.HasPrefix(t.in[t.i:], "[:"), strings.HasPrefix(t.in[t.i:], "[]"):
			return fmt.Errorf("%q inside a class is not supported", t.in[t.i:t.i+2])
		case c == '[':
			depth++
			t.i++
		case strings.HasPrefix(t.in[t.i:], "&&"):
			return fmt.Errorf("&& inside a class is not supported")
		case c == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			_, n := utf8.DecodeRuneInString(t.in[t.i:])
			t.copy(n)
		}
	}
	return fmt.Errorf("a class is not closed")
}
