package corpus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"avssnative/internal/mapped"
)

// table is an open .parquet. The file is mapped; its pages are decoded one at a time.
type table struct {
	*parquet.File
	mapping *mapped.File
}

func openTable(path string) (*table, error) {
	if !strings.HasSuffix(strings.ToLower(path), ".parquet") {
		return nil, errors.New("a .parquet is compressed inside; unpack it first")
	}
	mapping, err := mapped.Open(path)
	if err != nil {
		return nil, err
	}
	t := &table{mapping: mapping}
	if err := checkFooter(mapping.Bytes()); err != nil {
		mapping.Close()
		return nil, err
	}
	err = guarded(func() error {
		file := bytes.NewReader(mapping.Bytes())
		t.File, err = parquet.OpenFile(file, file.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	if err != nil {
		mapping.Close()
		return nil, err
	}
	return t, nil
}

func (t *table) close() { t.mapping.Close() }

// guarded turns a panic into an error: the parquet library panics on some damaged files. Nothing of the caller's runs inside.
func guarded(do func() error) (err error) {
	defer func() {
		if damage := recover(); damage != nil {
			err = fmt.Errorf("damaged: %.200s", strings.ReplaceAll(fmt.Sprint(damage), "\n", " "))
		}
	}()
	return do()
}

// column calls each for every row's text in one column, reading no other.
func column(ctx context.Context, path, field string, each func(Document) bool) error {
	t, err := openTable(path)
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
		if err := t.checkPages(group, leaf); err != nil {
			return err
		}
		reader := pageReader{chunk: t.RowGroups()[group].ColumnChunks()[leaf.Index()]}
		for {
			if err := ctx.Err(); err != nil {
				return err
			}
			var texts []string
			err := guarded(func() (err error) {
				texts, err = reader.next()
				return err
			})
			if err != nil && err != io.EOF {
				reader.close()
				return fmt.Errorf("row %d: %w", number+len(texts)+1, err)
			}
			for _, text := range texts {
				number++
				if !utf8.ValidString(text) || len(text) > MaxBytes {
					reader.close()
					return fmt.Errorf("row %d: not UTF-8, or longer than %d bytes", number, MaxBytes)
				}
				if !each(Document{number, text}) {
					reader.close()
					return nil
				}
			}
			if err == io.EOF {
				break
			}
		}
		reader.close()
	}
	return nil
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
	values parquet.ValueReader
	buffer [128]parquet.Value
}

// next returns some rows' texts, with io.EOF the last of them.
func (r *pageReader) next() (texts []string, err error) {
	if r.pages == nil {
		r.pages = r.chunk.Pages()
	}
	if r.values == nil {
		if r.page, err = r.pages.ReadPage(); err != nil {
			return nil, err
		}
		r.values = r.page.Values()
	}
	n, err := r.values.ReadValues(r.buffer[:])
	for _, value := range r.buffer[:n] {
		if value.IsNull() {
			return texts, errors.New("no text (null)")
		}
		texts = append(texts, string(value.ByteArray()))
	}
	if err == io.EOF || err == nil && n == 0 {
		parquet.Release(r.page)
		r.page, r.values, err = nil, nil, nil
	}
	return texts, err
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
func records(ctx context.Context, path string, each func(Row) (bool, error)) error {
	t, err := openTable(path)
	if err != nil {
		return err
	}
	defer t.close()
	number := 0
	for group, rows := range t.RowGroups() {
		for _, leaf := range leaves(t.Root()) {
			if err := t.checkPages(group, leaf); err != nil {
				return err
			}
		}
		more, err := groupRecords(ctx, rows, path, &number, each)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// groupRecords calls each for every row of one group. It counts in number and returns whether each wants more.
func groupRecords(ctx context.Context, rows parquet.RowGroup, path string, number *int, each func(Row) (bool, error)) (bool, error) {
	var reader *parquet.GenericReader[any]
	if err := guarded(func() error { reader = parquet.NewGenericRowGroupReader[any](rows); return nil }); err != nil {
		return false, err
	}
	defer guarded(func() error { return reader.Close() })
	one := make([]any, 1)
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n := 0
		err := guarded(func() (err error) {
			one[0] = nil
			n, err = reader.Read(one)
			return err
		})
		if err != nil && err != io.EOF {
			return false, fmt.Errorf("row %d: %w", *number+1, err)
		}
		if n == 0 {
			return true, nil
		}
		*number++
		text, err := marshal(flat(one[0]))
		if err != nil || text[0] != '{' || !json.Valid(text) {
			return false, fmt.Errorf("row %d: cannot be shown as JSON (%v)", *number, err)
		}
		if more, err := each(Row{*number, text, path}); err != nil || !more {
			return false, err
		}
	}
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
