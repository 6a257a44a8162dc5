// Package corpus streams text and records from files: documents to calibrate on, and the items of tasks. What a file holds follows from
// its name, after .gz or .zst has been taken off:
//
//	.txt      documents, see Read
//	.jsonl    one JSON object a line (.ndjson is the same)
//	.tsv      one record a line, cells separated by tabs, no quoting
//	.parquet  one record a row; compressed inside, so .gz and .zst are refused
//
// Text must be UTF-8. Memory is bounded by the longest document, line or parquet page, and these are limited; empty lines are skipped.
package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// MaxBytes is the longest line or document that is read.
const MaxBytes = 64 << 20

// Separator stands between the documents of a .txt file.
const Separator = "<|endoftext|>"

// DefaultField is the field that holds a record's text unless another is named.
const DefaultField = "text"

// Document is one text.
type Document struct {
	Number int // counted from 1: the line of a .jsonl or .tsv, the row of a .parquet, the document of a .txt
	Text   string
}

// Row is one record.
type Row struct {
	Number int             // as in Document
	JSON   json.RawMessage // an object; the cells of a .tsv are strings

	path string
}

// Decode fills value, as json.Unmarshal does.
func (r Row) Decode(value any) error {
	if err := json.Unmarshal(r.JSON, value); err != nil {
		return fmt.Errorf("corpus: %s: record %d: %w", r.path, r.Number, err)
	}
	return nil
}

// Read streams the documents of a file and ends after the first error.
//
// A .txt that contains <|endoftext|> has one document between each two of them; line breaks next to the separator belong to it, and
// pieces of nothing else are left out. A .txt without it is one document, to the byte. Of all other kinds, each record is a document:
// the text in field, by default "text"; "a.b" is the field b of the object in field a (a field named "a.b" comes first). A record
// without the field, or where it is no text, is an error.
func Read(ctx context.Context, path, field string) iter.Seq2[Document, error] {
	if field == "" {
		field = DefaultField
	}
	return func(yield func(Document, error) bool) {
		var err error
		switch kind(path) {
		case ".txt":
			err = texts(ctx, path, func(d Document) bool { return yield(d, nil) })
		case ".parquet":
			err = column(ctx, path, field, func(d Document) bool { return yield(d, nil) })
		default:
			err = rows(ctx, path, nil, func(row Row) (bool, error) {
				text, err := lookup(row.JSON, field)
				if err != nil {
					return false, fmt.Errorf("record %d: %w", row.Number, err)
				}
				return yield(Document{row.Number, text}, nil), nil
			})
		}
		if err != nil {
			yield(Document{}, fmt.Errorf("corpus: %s: %w", path, err))
		}
	}
}

// Rows streams the records of a .jsonl, .tsv or .parquet and ends after the first error. columns names the cells of a .tsv; where it is
// nil the file's first line does. For other kinds it must be nil.
func Rows(ctx context.Context, path string, columns []string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := rows(ctx, path, columns, func(row Row) (bool, error) { return yield(row, nil), nil }); err != nil {
			yield(Row{}, fmt.Errorf("corpus: %s: %w", path, err))
		}
	}
}

// rows calls each for every record until it says stop. No error is returned once each has said so.
func rows(ctx context.Context, path string, columns []string, each func(Row) (bool, error)) error {
	if columns != nil && kind(path) != ".tsv" {
		return errors.New("names of columns are given, but only a .tsv takes them")
	}
	switch kind(path) {
	case ".jsonl", ".ndjson":
		return jsonLines(ctx, path, each)
	case ".tsv":
		return tabLines(ctx, path, columns, each)
	case ".parquet":
		return records(ctx, path, each)
	}
	return errors.New("want a name ending in .txt, .jsonl, .tsv (also .gz, .zst) or .parquet")
}

// kind returns the extension below .gz and .zst, in lower case.
func kind(path string) string {
	name := strings.ToLower(filepath.Base(path))
	for _, packed := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, packed)
	}
	return filepath.Ext(name)
}

// open returns the file's content, unpacked.
func open(path string) (io.ReadCloser, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !stat.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var unpacked io.Reader = file
	closeAll := file.Close
	switch strings.ToLower(filepath.Ext(path)) {
	case ".gz":
		unpacked, err = gzip.NewReader(file)
	case ".zst":
		var decoder *zstd.Decoder
		// The window is what a hostile frame could make us hold; 128 MiB is the most that zstd's own tool takes without being asked.
		decoder, err = zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(128<<20))
		if err == nil {
			unpacked = decoder
			closeAll = func() error {
				decoder.Close()
				return file.Close()
			}
		}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{unpacked, closer(closeAll)}, nil
}

type closer func() error

func (c closer) Close() error { return c() }

// texts calls each for every document of a .txt.
func texts(ctx context.Context, path string, each func(Document) bool) error {
	file, err := open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	pieces := newSplitter(file, Separator, MaxBytes)
	number := 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece, last, err := pieces.next()
		if err != nil {
			return fmt.Errorf("document %d: %w (put %s between documents)", number+1, err, Separator)
		}
		text := string(piece)
		if !last || pieces.found {
			text = strings.Trim(text, "\r\n")
		}
		if text != "" {
			number++
			if !utf8.ValidString(text) {
				return fmt.Errorf("document %d: not UTF-8", number)
			}
			if !each(Document{number, text}) {
				return nil
			}
		}
		if last {
			return nil
		}
	}
}

// lines calls each for every line that is not empty, without its line break.
func lines(ctx context.Context, path string, each func(number int, line []byte) (bool, error)) error {
	file, err := open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	pieces := newSplitter(file, "\n", MaxBytes)
	for number := 1; ; number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, last, err := pieces.next()
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		line = []byte(strings.TrimSuffix(string(line), "\r"))
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
