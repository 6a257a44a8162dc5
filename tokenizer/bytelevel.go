// The byte alphabet of GPT-2: each byte is written as one printable character, so that a vocabulary of strings can hold any bytes.

package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// byteRunes gives each byte its character: printable Latin-1 stands for itself, the rest follows from U+0100 on.
var byteRunes = func() (runes [256]rune) {
	next := rune(0x100)
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			runes[b] = rune(b)
		} else {
			runes[b] = next
			next++
		}
	}
	return runes
}()

// runeBytes is the inverse; -1 where a character stands for no byte.
var runeBytes = func() (bytes [0x144]int16) {
	for i := range bytes {
		bytes[i] = -1
	}
	for b, r := range byteRunes {
		bytes[r] = int16(b)
	}
	return bytes
}()

// byteAlphabet spells text in the alphabet.
type byteAlphabet struct{}

var byteSpelling = func() (spelling [256]string) {
	for b, r := range byteRunes {
		spelling[b] = string(r)
	}
	return spelling
}()

func (byteAlphabet) rewrite(w *rewriting) {
	text := w.in.text
	for i := 0; i < len(text) && w.call.err == nil; i++ {
		w.exchange(1, byteSpelling[text[i]])
	}
}

// fromByteAlphabet returns the bytes that text spells, or false where one of its characters stands for none.
func fromByteAlphabet(text string) ([]byte, bool) {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		if int(r) >= len(runeBytes) || runeBytes[r] < 0 {
			return nil, false
		}
		out = append(out, byte(runeBytes[r]))
	}
	return out, true
}

// byteLevel splits as GPT-2 does and spells every word in the byte alphabet.
type byteLevel struct {
	AddPrefixSpace bool `json:"add_prefix_space"`
	UseRegex       bool `json:"use_regex"`
}

func (b byteLevel) split(c *call, p piece, yield func(piece)) {
	if b.AddPrefixSpace && p.text != "" && p.text[0] != ' ' {
		p, _ = c.apply(prepend{" "}, p)
	}
	spelled := func(p piece) {
		p, _ = c.apply(byteAlphabet{}, p)
		yield(p)
	}
	if !b.UseRegex {
		spelled(p)
		return
	}
	scan := scanGPT2{classTable()}
	for i := 0; i < len(p.text) && c.err == nil; {
		end := scan.next(p.text, i)
		spelled(p.cut(i, end))
		i = end
	}
}

// lossy replaces what is not UTF-8 by U+FFFD, one for each maximal broken part, as Rust's from_utf8_lossy does.
func lossy(bytes []byte) string {
	if utf8.Valid(bytes) {
		return string(bytes)
	}
	var out strings.Builder
	for i := 0; i < len(bytes); {
		if _, n := utf8.DecodeRune(bytes[i:]); n > 1 || bytes[i] < utf8.RuneSelf {
			out.Write(bytes[i : i+n])
			i += n
			continue
		}
		out.WriteRune(utf8.RuneError)
		i += brokenLength(bytes[i:])
	}
	return out.String()
}

// brokenLength returns how many bytes at the beginning of an invalid sequence belong to one character that was begun: the lead byte
// and those continuation bytes that could have followed it.
func brokenLength(bytes []byte) int {
	lead := bytes[0]
	low, high, want := byte(0x80), byte(0xbf), 0
	switch {
	case lead >= 0xc2 && lead <= 0xdf:
		want = 1
	case lead >= 0xe0 && lead <= 0xef:
		want = 2
		if lead == 0xe0 {
			low = 0xa0
		} else if lead == 0xed {
			high = 0x9f
		}
	case lead >= 0xf0 && lead <= 0xf4:
		want = 3
		if lead == 0xf0 {
			low = 0x90
		} else if lead == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for n <= want && n < len(bytes) && bytes[n] >= low && bytes[n] <= high {
		low, high = 0x80, 0xbf
		n++
	}
	return n
}
