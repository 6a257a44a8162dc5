package corpus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// jsonLines calls each for every line of a .jsonl.
func (s Source) jsonLines(ctx context.Context, each func(Row) (bool, error)) error {
	return s.lines(ctx, func(number int, line []byte) (bool, error) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			return true, nil
		}
		if line[0] != '{' || !json.Valid(line) {
			return false, fmt.Errorf("line %d: not a JSON object", number)
		}
		return each(Row{number, line, s.Path})
	})
}

// tabLines calls each for every line of a .tsv.
func (s Source) tabLines(ctx context.Context, each func(Row) (bool, error)) error {
	columns := slices.Clone(s.Columns)
	check := func() error {
		for i, name := range columns {
			if name == "" || slices.Contains(columns[:i], name) {
				return fmt.Errorf("column %d: name %.80q is empty or taken", i+1, name)
			}
		}
		return nil
	}
	if err := check(); err != nil {
		return err
	}
	return s.lines(ctx, func(number int, line []byte) (bool, error) {
		cells := strings.Split(string(line), "\t")
		if columns == nil {
			columns = cells
			return true, check()
		}
		if len(cells) != len(columns) {
			return false, fmt.Errorf("line %d: %d cells, want %d", number, len(cells), len(columns))
		}
		object := make(map[string]string, len(cells))
		for i, cell := range cells {
			object[columns[i]] = cell
		}
		text, err := marshal(object)
		if err != nil {
			return false, fmt.Errorf("line %d: %w", number, err)
		}
		return each(Row{number, text, s.Path})
	})
}

// marshal is json.Marshal without the escapes meant for web pages.
func marshal(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// lookup returns the text in a field of an object; see Documents.
func lookup(object json.RawMessage, field string) (string, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(object, &fields) != nil || fields == nil {
		return "", errors.New("not a JSON object")
	}
	if value, ok := fields[field]; ok {
		var text *string
		if err := json.Unmarshal(value, &text); err != nil || text == nil {
			return "", fmt.Errorf("field %.80q is no text", field)
		}
		return *text, nil
	}
	if first, rest, nested := strings.Cut(field, "."); nested {
		if inner, ok := fields[first]; ok {
			text, err := lookup(inner, rest)
			if err != nil {
				err = fmt.Errorf("field %.80q: %w", first, err)
			}
			return text, err
		}
	}
	names := []string{}
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return "", fmt.Errorf("no field %.80q, it has %.200s", field, listed(names))
}

// listed is names as an error shows them: on one line, those with odd characters quoted.
func listed(names []string) string {
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = name
		if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
			shown[i] = quoted
		}
	}
	return strings.Join(shown, ", ")
}
