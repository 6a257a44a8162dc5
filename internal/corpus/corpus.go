// Package corpus streams text and records from files: documents to calibrate on, and the items of tasks. What a file holds follows from
// its name, after .gz or .zst has been taken off:
//
//	.txt      documents, see Documents
//	.jsonl    one JSON object a line (.ndjson is the same)
//	.tsv      one record a line, cells separated by tabs, no quoting
//	.parquet  one record a row; compressed inside, so .gz and .zst are refused
//
// Text must be UTF-8. Nothing is read ahead of what is asked for but a block of a file, or a page of a parquet. Memory is bounded by the
// longest document, line or parquet page, and these are limited; what unfolds to far more than it takes in the file is refused (see
// unfolded). A cancelled context ends a read at once, even one that waits for a disk or a pipe. Empty lines are skipped.
package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"
)

// MaxBytes is the longest line, document or row that is read.
const MaxBytes = 64 << 20

// Separator stands between the documents of a .txt file.
const Separator = "<|endoftext|>"

// DefaultField is the field that holds a record's text unless another is named.
const DefaultField = "text"

// Source is text to read: a file, or what a reader gives.
type Source struct {
	Path    string    // of a regular file; its name says what it holds
	From    io.Reader // if not nil, read once instead of a file: Path then only says what it holds, and where an error was
	Kind    string    // .txt, .jsonl or .tsv: what it holds where the name does not say; empty: such a name is an error
	Field   string    // of a record, that holds its text; empty: DefaultField. "a.b" is the field b of the object in field a
	Columns []string  // names of a .tsv's cells; nil: its first line names them. For other kinds it must be nil
}

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

// Where names the row in its file, for errors.
func (r Row) Where() string { return fmt.Sprintf("%s: record %d", r.path, r.Number) }

// Decode fills value, as json.Unmarshal does.
func (r Row) Decode(value any) error {
	if err := json.Unmarshal(r.JSON, value); err != nil {
		return fmt.Errorf("corpus: %s: %w", r.Where(), err)
	}
	return nil
}

// Documents streams the documents and ends after the first error.
//
// A .txt that contains <|endoftext|> has one document between each two of them; line breaks next to the separator belong to it, and
// pieces of nothing else are left out. A .txt without it is one document, to the byte. Of all other kinds, each record is a document:
// the text in Field (a field named "a.b" comes before the field b of a). A record without the field, or where it is no text, is an error.
func (s Source) Documents(ctx context.Context) iter.Seq2[Document, error] {
	field := s.Field
	if field == "" {
		field = DefaultField
	}
	return func(yield func(Document, error) bool) {
		var err error
		switch s.Holds() {
		case ".txt":
			err = s.texts(ctx, func(d Document) bool { return yield(d, nil) })
		case ".parquet":
			err = s.column(ctx, field, func(d Document) bool { return yield(d, nil) })
		default:
			err = s.rows(ctx, func(row Row) (bool, error) {
				text, err := lookup(row.JSON, field)
				if err != nil {
					return false, fmt.Errorf("record %d: %w", row.Number, err)
				}
				return yield(Document{row.Number, text}, nil), nil
			})
		}
		if err != nil {
			yield(Document{}, s.where(err))
		}
	}
}

// Rows streams the records of a .jsonl, .tsv or .parquet and ends after the first error.
func (s Source) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := s.rows(ctx, func(row Row) (bool, error) { return yield(row, nil), nil }); err != nil {
			yield(Row{}, s.where(err))
		}
	}
}

// Pieces streams what stands between the separators of a .txt, to the byte: what strings.Split makes of its content. It ends after the first
// error.
func (s Source) Pieces(ctx context.Context, separator string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if s.Holds() != ".txt" {
			yield("", s.where(fmt.Errorf("holds records (%s), want text", s.Holds())))
			return
		}
		if err := s.pieces(ctx, separator, func(text string, _, _ bool) bool { return yield(text, nil) }); err != nil {
			yield("", s.where(err))
		}
	}
}

// Holds returns what the source holds: .txt, .jsonl, .tsv, .parquet, or nothing where neither its name nor Kind says.
func (s Source) Holds() string {
	name := strings.ToLower(filepath.Base(s.Path))
	for _, packed := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, packed)
	}
	switch known := filepath.Ext(name); known {
	case ".ndjson":
		return ".jsonl"
	case ".txt", ".jsonl", ".tsv", ".parquet":
		return known
	}
	return s.Kind
}

func (s Source) where(err error) error { return fmt.Errorf("corpus: %s: %w", s.Path, err) }

// rows calls each for every record until it says stop. No error is returned once each has said so.
func (s Source) rows(ctx context.Context, each func(Row) (bool, error)) error {
	kind := s.Holds()
	if s.Columns != nil && kind != ".tsv" {
		return errors.New("names of columns are given, but only a .tsv takes them")
	}
	switch kind {
	case ".jsonl":
		return s.jsonLines(ctx, each)
	case ".tsv":
		return s.tabLines(ctx, each)
	case ".parquet":
		return s.records(ctx, each)
	case ".txt":
		return errors.New("holds text, want records: a name ending in .jsonl, .tsv (also .gz, .zst) or .parquet")
	}
	return errors.New("want a name ending in .txt, .jsonl, .tsv (also .gz, .zst) or .parquet")
}
