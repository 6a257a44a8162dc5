package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"avssnative/failure"
)

const (
	mostLine = 16 << 20  // bytes of one line
	mostText = 256 << 20 // bytes of a text that is read whole
)

// Source is where tasks find their files: a folder with one folder a task. A task that is inside the program is read from there
// unless the folder has it.
type Source struct{ Dir string }

// A file is an opened file of items.
type file struct {
	name string // as errors show it
	dir  string // where its companions lie
	io.Reader
	closer io.Closer
}

func (f *file) Close() error { return f.closer.Close() }

func (s Source) open(task Task, own bool) (*file, error) {
	var tried []string
	for _, name := range task.Files {
		path := filepath.FromSlash(name)
		if !own {
			if s.Dir == "" {
				continue
			}
			path = filepath.Join(s.Dir, path)
		}
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			tried = append(tried, path)
			continue
		}
		if err != nil {
			return nil, err
		}
		if info, err := f.Stat(); err == nil && info.IsDir() {
			f.Close()
			return nil, fmt.Errorf("%s: is a folder, want a file", path)
		}
		return &file{name: path, dir: filepath.Dir(path), Reader: f, closer: f}, nil
	}
	if task.Inside != nil && !own {
		return &file{name: "inside the program", Reader: bytes.NewReader(task.Inside()), closer: io.NopCloser(nil)}, nil
	}
	if len(tried) > 0 {
		return nil, failure.NotFound.Errorf("no file %s", strings.Join(tried, " or "))
	}
	return nil, failure.NotFound.Errorf("no folder of task files given; it would hold %s", strings.Join(task.Files, " or "))
}

// lines calls each with every line that is not blank, without its end, until it says that it has enough. An error carries the file's name
// and the line's number.
func (f *file) lines(each func(line string) (enough bool, err error)) error {
	scanner := bufio.NewScanner(f)
	scanner.Buffer(make([]byte, 64<<10), mostLine)
	number := 0
	for scanner.Scan() {
		number++
		line := strings.TrimSuffix(scanner.Text(), "\r")
		if trim(line) == "" {
			continue
		}
		enough, err := each(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", f.name, number, err)
		}
		if enough {
			return nil
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: line longer than %d MiB", f.name, number+1, mostLine>>20)
	} else if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return nil
}

// text reads the file whole.
func (f *file) text() (string, error) {
	data, err := io.ReadAll(io.LimitReader(f, mostText+1))
	if err != nil {
		return "", fmt.Errorf("%s: %w", f.name, err)
	}
	if len(data) > mostText {
		return "", fmt.Errorf("%s: text longer than %d MiB", f.name, mostText>>20)
	}
	return string(data), nil
}

// rows reads a file of JSON lines: each Row becomes an item. most bounds the number of items; 0 is all.
func rows[Row any](convert func(Row) (Item, error)) func(f *file, most int) ([]Item, error) {
	return func(f *file, most int) ([]Item, error) {
		var items []Item
		err := f.lines(func(line string) (bool, error) {
			var row Row
			if err := json.Unmarshal([]byte(line), &row); err != nil {
				return false, fmt.Errorf("not the JSON of an item: %w", err)
			}
			item, err := convert(row)
			if err != nil {
				return false, err
			}
			item.Index = len(items)
			items = append(items, item)
			return len(items) == most, nil
		})
		return items, err
	}
}

// documents reads a text whose documents stand between separators; blank ones are left out.
func documents(separator string, first int) func(f *file, most int) ([]Item, error) {
	return func(f *file, most int) ([]Item, error) {
		text, err := f.text()
		if err != nil {
			return nil, err
		}
		var items []Item
		for i, document := range strings.Split(text, separator) {
			document = trim(document)
			if i < first || document == "" {
				continue
			}
			if most > 0 && len(items) == most {
				break
			}
			items = append(items, Item{Index: i, Text: document, Words: words(document), Bytes: len(document)})
		}
		return items, nil
	}
}
