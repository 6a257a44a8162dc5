package report

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

//go:embed page.html
var pages embed.FS

var page = template.Must(template.ParseFS(pages, "page.html"))

// cell is a table's cell as the page shows it.
type cell struct {
	Text string
	Left bool
}

// line is a table's row as the page shows it.
type line struct {
	Dropped bool // marked as what goes
	Cells   []cell
}

// sheet is a table as the page shows it.
type sheet struct {
	Title, Note string
	Notes       []string
	Heads       []cell
	Lines       []line
}

func (t Table) sheet() sheet {
	s := sheet{Title: t.Title, Note: t.Note, Notes: t.Notes}
	left := make([]bool, len(t.Header))
	for i, name := range t.Header {
		left[i] = i == 0 || t.wordy(i)
		s.Heads = append(s.Heads, cell{name, left[i]})
	}
	for _, row := range t.Rows {
		var l line
		for i, text := range row {
			l.Cells = append(l.Cells, cell{text, left[i]})
			l.Dropped = text == "dropped"
		}
		s.Lines = append(s.Lines, l)
	}
	return s
}

// drawing is a picture as the page shows it.
type drawing struct {
	SVG  template.HTML
	Wide bool
}

// perLayer are the tables that stand behind the pictures.
var perLayer = []string{titleLayers, titleIntervals, titleStability, titleActivations, titleTime}

// HTML writes one page that needs nothing else: tables, pictures as SVG, no scripts, nothing loaded from elsewhere. The pictures stand behind
// the tables of what was found, before those of single layers.
func (r *Report) HTML(out io.Writer) error {
	pictures, err := r.Pictures()
	if err != nil {
		return err
	}
	var drawings []drawing
	for _, p := range pictures {
		svg, err := p.SVG()
		if err != nil {
			return err
		}
		drawings = append(drawings, drawing{template.HTML(svg), p.width > narrow}) //nolint:gosec // made by gonum/plot, which escapes the text in it
	}
	var sheets []sheet
	after := -1 // a sweep's tables are long: its pictures come first
	for i, t := range r.Tables() {
		sheets = append(sheets, t.sheet())
		if r.Sweep == nil && !slices.Contains(perLayer, t.Title) {
			after = i
		}
	}
	return page.Execute(out, map[string]any{"Report": r, "Tables": sheets, "After": after, "Pictures": drawings, "Warnings": r.AllWarnings(),
		"Verdict": r.Verdict(), "Parameters": count(r.Model.Parameters), "Bytes": size(r.Model.Bytes)})
}

// Save writes report.json, report.md, report.csv, report.html and the pictures as PNG to a folder, which is made where it is not there. Each
// file appears whole, and a folder that is made for them holds all of them or is gone again.
func (r *Report) Save(dir string) error {
	data, err := r.JSON()
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	files := map[string][]byte{FileName: data}
	for name, render := range map[string]func(io.Writer) error{"report.md": r.Markdown, "report.csv": r.CSV, "report.html": r.HTML} {
		var b bytes.Buffer
		if err := render(&b); err != nil {
			return err
		}
		files[name] = b.Bytes()
	}
	pictures, err := r.Pictures()
	if err != nil {
		return err
	}
	for _, p := range pictures {
		if files[p.Name+".png"], err = p.PNG(); err != nil {
			return err
		}
	}
	_, err = os.Stat(dir)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := save(filepath.Join(dir, name), files[name]); err != nil {
			if made {
				err = errors.Join(err, os.RemoveAll(dir))
			}
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}
