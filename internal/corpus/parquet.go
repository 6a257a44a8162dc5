package corpus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
)

// column calls each for every row's text in one column, reading no other.
func (s Source) column(ctx context.Context, field string, each func(Document) bool) error {
	t, err := s.openTable(ctx)
	if err != nil {
		return err
	}
	defer t.close()
	leaf, err := t.find(field)
	if err != nil {
		return err
	}
	number := 0
	for group := range t.RowGroups() {
		if err := t.begin(group, []*parquet.Column{leaf}); err != nil {
			return err
		}
		before := number
		more, err := t.groupTexts(t.RowGroups()[group].ColumnChunks()[leaf.Index()], &number, each)
		if err != nil || !more {
			return err
		}
		if err := t.complete(group, number-before); err != nil {
			return err
		}
	}
	return nil
}

// groupTexts calls each for every text of one column of a row group. It counts in number and returns whether each wants more.
func (t *table) groupTexts(from parquet.ColumnChunk, number *int, each func(Document) bool) (bool, error) {
	reader := pageReader{chunk: from}
	defer reader.close()
	for {
		if err := t.ctx.Err(); err != nil {
			return false, err
		}
		err := guarded(reader.next)
		for _, value := range reader.values {
			*number++
			// A dictionary gives the same long text many times over in a few bytes.
			t.given += int64(len(value.ByteArray()))
			if err := unfolded(t.size, t.given); err != nil {
				return false, fmt.Errorf("row %d: %w", *number, err)
			}
			if value.IsNull() {
				return false, fmt.Errorf("row %d: no text (null)", *number)
			}
			if size := len(value.ByteArray()); size > MaxBytes {
				return false, fmt.Errorf("row %d: %d bytes, want at most %d", *number, size, MaxBytes)
			}
			text := string(value.ByteArray())
			if !utf8.ValidString(text) {
				return false, fmt.Errorf("row %d: not UTF-8", *number)
			}
			if !each(Document{*number, text}) {
				return false, nil
			}
		}
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, fmt.Errorf("row %d: %w", *number+1, err)
		}
	}
}

// find returns the column of texts that the path names.
func (t *table) find(field string) (*parquet.Column, error) {
	var names []string
	for _, leaf := range leaves(t.Root()) {
		path := strings.Join(leaf.Path(), ".")
		names = append(names, path)
		if path != field {
			continue
		}
		if leaf.MaxRepetitionLevel() > 0 {
			return nil, fmt.Errorf("column %.80q holds lists, want text", field)
		}
		// A damaged schema may call a list, a map or a group without columns a leaf: it has no physical type, nor a kind that could be asked for.
		if leaf.Type().PhysicalType() == nil || leaf.Type().Kind() != parquet.ByteArray {
			return nil, fmt.Errorf("column %.80q holds %s, want text", field, leaf.Type())
		}
		return leaf, nil
	}
	return nil, fmt.Errorf("no column %.80q, it has %.200s", field, listed(names))
}

func leaves(column *parquet.Column) []*parquet.Column {
	if column.Leaf() {
		return []*parquet.Column{column}
	}
	var all []*parquet.Column
	for _, child := range column.Columns() {
		all = append(all, leaves(child)...)
	}
	return all
}

// pageReader walks the pages of one column of one row group.
type pageReader struct {
	chunk  parquet.ColumnChunk
	pages  parquet.Pages
	page   parquet.Page
	from   parquet.ValueReader
	buffer [128]parquet.Value
	values []parquet.Value // what next has read, valid until the call after
	done   bool            // the page is at its end
}

// next reads some rows' values, perhaps none; io.EOF comes after the last of them.
func (r *pageReader) next() (err error) {
	r.values = nil
	if r.done {
		parquet.Release(r.page)
		r.page, r.from, r.done = nil, nil, false
	}
	if r.pages == nil {
		r.pages = r.chunk.Pages()
	}
	if r.from == nil {
		if r.page, err = r.pages.ReadPage(); err != nil {
			return err
		}
		r.from = r.page.Values()
	}
	n, err := r.from.ReadValues(r.buffer[:])
	r.values = r.buffer[:n]
	if err == io.EOF || err == nil && n == 0 {
		r.done, err = true, nil
	}
	return err
}

func (r *pageReader) close() {
	_ = guarded(func() error {
		if r.page != nil {
			parquet.Release(r.page)
		}
		if r.pages != nil {
			return r.pages.Close()
		}
		return nil
	})
}

// records calls each for every row, as a JSON object.
func (s Source) records(ctx context.Context, each func(Row) (bool, error)) error {
	t, err := s.openTable(ctx)
	if err != nil {
		return err
	}
	defer t.close()
	number := 0
	columns := leaves(t.Root())
	for group, rows := range t.RowGroups() {
		if err := t.begin(group, columns); err != nil {
			return err
		}
		before := number
		more, err := t.groupRecords(rows, s.Path, &number, each)
		if err != nil || !more {
			return err
		}
		if err := t.complete(group, number-before); err != nil {
			return err
		}
	}
	return nil
}

// groupRecords calls each for every row of one group. It counts in number and returns whether each wants more.
func (t *table) groupRecords(group parquet.RowGroup, path string, number *int, each func(Row) (bool, error)) (bool, error) {
	var rows parquet.Rows
	if err := guarded(func() error { rows = group.Rows(); return nil }); err != nil {
		return false, err
	}
	defer guarded(func() error { return rows.Close() })
	one := make([]parquet.Row, 1)
	for {
		if err := t.ctx.Err(); err != nil {
			return false, err
		}
		n := 0
		var record any
		err := guarded(func() (err error) {
			one[0] = one[0][:0]
			if n, err = rows.ReadRows(one); n == 0 {
				return err
			}
			if err := t.rowLimit(one[0]); err != nil {
				return err
			}
			return group.Schema().Reconstruct(&record, one[0])
		})
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("row %d: %w", *number+1, err)
		}
		if n == 0 {
			return true, nil
		}
		*number++
		text, err := marshal(flat(record))
		if err != nil || text[0] != '{' || !json.Valid(text) {
			return false, fmt.Errorf("row %d: cannot be shown as JSON (%v)", *number, err)
		}
		if more, err := each(Row{*number, text, path}); err != nil || !more {
			return false, err
		}
	}
}

// rowLimit returns an error where a row's lists or texts are too long to be built: its values are views of pages until then.
func (t *table) rowLimit(row parquet.Row) error {
	size := 0
	for _, value := range row {
		if kind := value.Kind(); kind == parquet.ByteArray || kind == parquet.FixedLenByteArray {
			size += len(value.ByteArray())
		}
	}
	if len(row) > maxElements || size > MaxBytes {
		return fmt.Errorf("%d values of %d bytes, want at most %d of %d", len(row), size, maxElements, MaxBytes)
	}
	t.given += int64(size)
	return unfolded(t.size, t.given)
}

// flat turns what the library makes of a row into what JSON would hold: bytes become text, and a list's wrappings (list, element, as the
// format nests them) become the list.
func flat(value any) any {
	switch v := value.(type) {
	case []byte:
		return string(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = flat(item)
		}
		return list
	case map[string]any:
		if inner, ok := v["list"].([]any); ok && len(v) == 1 {
			list := make([]any, len(inner))
			for i, item := range inner {
				wrapped, ok := item.(map[string]any)
				element, only := wrapped["element"]
				if !only {
					element, only = wrapped["item"]
				}
				if !ok || !only || len(wrapped) != 1 {
					list[i] = flat(item)
					continue
				}
				list[i] = flat(element)
			}
			return list
		}
		object := make(map[string]any, len(v))
		for key, item := range v {
			object[key] = flat(item)
		}
		return object
	}
	return value
}
