package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"avssnative/failure"
	"avssnative/internal/corpus"
)

const mostText = 256 << 20 // bytes of a text that is read whole

// Source is where tasks find their files: a folder with one folder a task. A task that is inside the program is read from there unless the
// folder has it. A file is JSON lines, a table with tabs, a parquet or text by its name, also with .gz or .zst; where the name does not say,
// it is what the task's own file is.
type Source struct {
	Dir string
	// Cached finds a published split as a file of this machine; "" says that it is not here. It is asked where the folder has no file of a task,
	// and the program neither. nil: nothing is looked for.
	Cached func(Published) (path string, err error)
}

// A file holds the items of a task. Reading it ends with its context.
type file struct {
	ctx  context.Context
	name string // as errors show it
	dir  string // where its companions lie
	from corpus.Source
}

// find looks for a task's file: the one named, where own says so, or the first of the task's own that is there.
func (s Source) find(ctx context.Context, task Task, own bool, named string) (*file, error) {
	kind, names := filepath.Ext(task.Files[0]), task.Files
	if own {
		names = []string{named}
	}
	var tried []string
	for _, name := range names {
		path := filepath.FromSlash(name)
		if !own {
			if s.Dir == "" {
				continue
			}
			path = filepath.Join(s.Dir, path)
		}
		_, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			tried = append(tried, path)
			continue
		}
		if err != nil {
			return nil, err
		}
		return &file{ctx: ctx, name: path, dir: filepath.Dir(path), from: corpus.Source{Path: path, Kind: kind}}, nil
	}
	if task.Inside != nil && !own {
		const name = "inside the program"
		return &file{ctx: ctx, name: name, from: corpus.Source{Path: name, From: bytes.NewReader(task.Inside()), Kind: kind}}, nil
	}
	if s.Cached != nil && !own && task.Hub != (Published{}) {
		path, err := s.Cached(task.Hub)
		if err != nil {
			return nil, err
		}
		if path != "" {
			return &file{ctx: ctx, name: path, from: corpus.Source{Path: path, Kind: kind}}, nil
		}
	}
	if len(tried) > 0 {
		return nil, failure.NotFound.Errorf("no file %s", strings.Join(tried, " or "))
	}
	return nil, failure.NotFound.Errorf("no folder of task files given; it would hold %s", strings.Join(task.Files, " or "))
}

// text reads a file of text whole.
func (f *file) text() (string, error) {
	var whole strings.Builder
	first := true
	for line, err := range f.from.Pieces(f.ctx, "\n") {
		if err != nil {
			return "", err
		}
		if !first {
			whole.WriteByte('\n')
		}
		first = false
		if whole.WriteString(line); whole.Len() > mostText {
			return "", fmt.Errorf("%s: text longer than %d MiB", f.name, mostText>>20)
		}
	}
	return whole.String(), nil
}

// Rows reads records, JSON objects of one line each or what is read as such; convert makes an item of each. The error of one carries the
// file's name and the line.
func Rows[Row any](convert func(Row) (Item, error)) Reader {
	return func(f *file, most int) ([]Item, error) {
		return items(f, most, func(row Row) (Item, bool, error) {
			item, err := convert(row)
			return item, true, err
		})
	}
}

// items reads a file of records; those that are no items, as convert says, are left out. No more is read than most items need.
func items[Row any](f *file, most int, convert func(Row) (_ Item, is bool, _ error)) ([]Item, error) {
	var all []Item
	for record, err := range f.from.Rows(f.ctx) {
		if err != nil {
			return nil, err
		}
		var row Row
		if err := record.Decode(&row); err != nil {
			return nil, err
		}
		item, is, err := convert(row)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", record.Where(), err)
		}
		if !is {
			continue
		}
		item.Index = len(all)
		if all = append(all, item); len(all) == most {
			break
		}
	}
	return all, nil
}

// Documents reads a text whose documents stand between separators, or records of one text each; each is to be scored from its beginning to its
// end. Those before the place first and blank ones are left out.
func Documents(separator string, first int) Reader {
	return func(f *file, most int) ([]Item, error) {
		var items []Item
		place := -1
		for document, err := range f.documents(separator) {
			if err != nil {
				return nil, err
			}
			place++
			document = trim(document)
			if place < first || document == "" {
				continue
			}
			item := Document(document)
			item.Index = place
			items = append(items, item)
			if len(items) == most {
				break
			}
		}
		return items, nil
	}
}

// documents are the pieces of a text, or the texts of records.
func (f *file) documents(separator string) iter.Seq2[string, error] {
	if f.from.Holds() == ".txt" {
		return f.from.Pieces(f.ctx, separator)
	}
	return func(yield func(string, error) bool) {
		for document, err := range f.from.Documents(f.ctx) {
			if !yield(document.Text, err) {
				return
			}
		}
	}
}
