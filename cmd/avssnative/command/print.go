package command

// What is printed: text from files with nothing in it that acts on a terminal, and JSON likewise.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"avssnative/internal/report/escape"

	"github.com/urfave/cli/v2"
)

// shown is text from a file, a device or a server for a line of a terminal.
func shown(text string) string { return escape.Terminal(text) }

// shownText is shown of a text whose lines and tabs stay.
func shownText(text string) string {
	var b strings.Builder
	for {
		at := strings.IndexAny(text, "\n\t")
		if at < 0 {
			b.WriteString(shown(text))
			return b.String()
		}
		b.WriteString(shown(text[:at]))
		b.WriteByte(text[at])
		text = text[at+1:]
	}
}

// printJSON prints a value as one JSON object on one line of stdout.
func printJSON(c *cli.Context, value any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return err
	}
	return printRaw(c, b.Bytes())
}

// printRaw prints a JSON value in one line.
func printRaw(c *cli.Context, object []byte) error {
	var b bytes.Buffer
	if err := json.Compact(&b, object); err != nil {
		return err
	}
	_, err := c.App.Writer.Write(append(visibleJSON(b.Bytes()), '\n'))
	return err
}

// visibleJSON writes the characters that act on a terminal and that JSON lets stand in its strings as escape sequences, which mean the same.
func visibleJSON(object []byte) []byte {
	var out []byte
	for i := 0; i < len(object); {
		r, size := utf8.DecodeRune(object[i:])
		switch {
		case r < ' ' || size == 1 && r != 0x7f || unicode.IsGraphic(r):
			out = append(out, object[i:i+size]...)
		case r > 0xffff:
			high, low := 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return out
}

// printMerged prints the fields of a JSON object and those of a map as one object; the former win.
func printMerged(c *cli.Context, object []byte, more map[string]any) error {
	merged := map[string]json.RawMessage{}
	for key, v := range more {
		var err error
		if merged[key], err = json.Marshal(v); err != nil {
			return err
		}
	}
	if err := json.Unmarshal(object, &merged); err != nil {
		return err
	}
	return printJSON(c, merged)
}
