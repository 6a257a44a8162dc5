package corpus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// pieces calls each with what stands between separators until it wants no more; last is what stands behind the last separator, and found
// tells whether there is one.
func (s Source) pieces(ctx context.Context, separator string, each func(text string, last, found bool) (more bool)) error {
	file, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer file.Close()
	what := "document"
	if separator == "\n" {
		what = "line"
	}
	split := newSplitter(file, separator, MaxBytes)
	split.size = s.bytes()
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece, last, err := split.next()
		if errors.Is(err, errLong) {
			return fmt.Errorf("%s %d: %w (put %s between %ss)", what, number, err, strings.ReplaceAll(separator, "\n", "a line break"), what)
		}
		if err != nil {
			return fmt.Errorf("%s %d: %w", what, number, err)
		}
		if !utf8.Valid(piece) {
			return fmt.Errorf("%s %d: not UTF-8", what, number)
		}
		if !each(text(piece), last, split.found) || last {
			return nil
		}
	}
}

// texts calls each for every document of a .txt.
func (s Source) texts(ctx context.Context, each func(Document) bool) error {
	number := 0
	return s.pieces(ctx, Separator, func(text string, last, found bool) bool {
		if !last || found {
			text = strings.Trim(text, "\r\n")
		}
		if text == "" {
			return true
		}
		number++
		return each(Document{number, text})
	})
}

// lines calls each for every line that is not empty, without its line break.
func (s Source) lines(ctx context.Context, each func(number int, line []byte) (bool, error)) error {
	file, err := s.open(ctx)
	if err != nil {
		return err
	}
	defer file.Close()
	split := newSplitter(file, "\n", MaxBytes)
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, last, err := split.next()
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) > 0 {
			if !utf8.Valid(line) {
				return fmt.Errorf("line %d: not UTF-8", number)
			}
			if more, err := each(number, line); err != nil || !more {
				return err
			}
		}
		if last {
			return nil
		}
	}
}
