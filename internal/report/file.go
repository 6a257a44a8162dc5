package report

// The report's folder: report.json is read and checked; it and every form are written, each file whole.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"avssnative/avss"
	"avssnative/internal/mapped"
	"avssnative/internal/report/escape"
)

// FileName is what a report is called in its folder.
const FileName = "report.json"

// maxBytes bounds what Read takes.
const maxBytes = 256 << 20

// Read reads and checks DIR/report.json.
func Read(dir string) (*Report, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("report: %s: no %s in this folder; run with --report %s first", dir, FileName, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("report: %s: %w", path, err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("report: %s: larger than %d MiB", path, maxBytes>>20)
	}
	r, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("report: %s: %w", path, err)
	}
	return r, nil
}

// Parse reads and checks a report's bytes.
func Parse(data []byte) (*Report, error) {
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			return nil, fmt.Errorf("no report: at byte %d of %d: %w", syntax.Offset, len(data), err)
		}
		return nil, fmt.Errorf("no report: %s", escape.Terminal(err.Error())) // it may quote names of the file
	}
	if r.Schema != Schema {
		return nil, fmt.Errorf("schema %d, this program reads schema %d", r.Schema, Schema)
	}
	return r, r.check()
}

// JSON is the report as it is saved.
func (r *Report) JSON() ([]byte, error) {
	filled := *r
	if filled.Generation == nil {
		filled.Generation = []Generation{}
	}
	if filled.References == nil {
		filled.References = []avss.Citation{}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(&filled)
	return b.Bytes(), err
}

// Save writes report.json, report.md, report.csv, report.html and the pictures as PNG to a folder, which is made where it is not there. Each
// file appears whole, and a folder that is made for them holds all of them or is gone again.
func (r *Report) Save(dir string) error {
	pictures, err := r.Pictures()
	if err != nil {
		return err
	}
	_, err = os.Stat(dir)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := r.save(dir, pictures); err != nil {
		if made {
			err = errors.Join(err, os.RemoveAll(dir))
		}
		return err
	}
	return nil
}

// save renders and writes one file after the other: of a large report each is large.
func (r *Report) save(dir string, pictures []Picture) error {
	type file struct {
		name   string
		render func() ([]byte, error)
	}
	form := func(render func(io.Writer) error) func() ([]byte, error) {
		return func() ([]byte, error) {
			var b bytes.Buffer
			err := render(&b)
			return b.Bytes(), err
		}
	}
	files := []file{{FileName, r.JSON}, {"report.md", form(r.Markdown)}, {"report.csv", form(r.CSV)}, {"report.html", form(r.HTML)}}
	for _, p := range pictures {
		files = append(files, file{p.Name + ".png", p.PNG})
	}
	for _, f := range files {
		data, err := f.render()
		if err != nil {
			return fmt.Errorf("report: %s: %w", f.name, err)
		}
		if err := writeFile(filepath.Join(dir, f.name), data); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// writeFile writes a file of the report's folder whole.
func writeFile(path string, data []byte) error {
	return mapped.Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFile gives a file to write, which appears whole or not at all.
func WriteFile(path string, write func(io.Writer) error) error { return mapped.Write(path, write) }
