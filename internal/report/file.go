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
	"slices"

	"avssnative/avss"
	"avssnative/internal/mapped"
	"avssnative/internal/report/escape"
)

// FileName is what a report is called in its folder.
const FileName = "report.json"

// MaxBytes bounds what Read takes.
const MaxBytes = 256 << 20

// Read reads and checks DIR/report.json.
func Read(dir string) (*Report, error) {
	path := filepath.Join(dir, FileName)
	data, err := mapped.ReadSmall(path, MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("report: %s: no %s in this folder (%w)", dir, FileName, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
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

// Place is where a report goes: a folder, which with force may hold a former report and nothing else. What is in reading stays in any case.
func Place(dir string, force bool, reading ...string) mapped.Place {
	return mapped.Place{Path: dir, Folder: true, Force: force, Reading: reading, Former: former}
}

// former returns why a folder is no report, or holds more than one: whoever put something in wants it back.
func former(dir string) error {
	r, err := Read(dir)
	if err != nil {
		return fmt.Errorf("the folder has no %s of this program's", FileName)
	}
	pictures, err := r.Pictures()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		ours := slices.Contains(formNames, name) || slices.ContainsFunc(pictures, func(p Picture) bool { return p.Name+".png" == name })
		if !ours || !entry.Type().IsRegular() {
			return fmt.Errorf("the folder holds %s", name)
		}
	}
	return nil
}

// formNames are the names of a report's files beside the pictures.
var formNames = []string{FileName, "report.md", "report.csv", "report.html"}

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
	renders := []func() ([]byte, error){r.JSON, form(r.Markdown), form(r.CSV), form(r.HTML)}
	var files []file
	for i, name := range formNames {
		files = append(files, file{name, renders[i]})
	}
	for _, p := range pictures {
		files = append(files, file{p.Name + ".png", p.PNG})
	}
	for _, f := range files {
		data, err := f.render()
		if err != nil {
			return fmt.Errorf("report: %s: %w", f.name, err)
		}
		if err := mapped.WriteBytes(filepath.Join(dir, f.name), data); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}
