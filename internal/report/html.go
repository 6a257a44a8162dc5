package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
)

//go:embed page.html
var pages embed.FS

var page = template.Must(template.ParseFS(pages, "page.html"))

// HTML writes one page that needs nothing else: tables, pictures as SVG, no scripts, nothing loaded from elsewhere.
func (r *Report) HTML(out io.Writer) error {
	pictures, err := r.Pictures()
	if err != nil {
		return err
	}
	var drawings []template.HTML
	for _, p := range pictures {
		svg, err := p.SVG()
		if err != nil {
			return err
		}
		drawings = append(drawings, template.HTML(svg)) //nolint:gosec // made by gonum/plot from numbers; text in it is escaped there
	}
	return page.Execute(out, map[string]any{"Report": r, "Tables": r.Tables(), "Pictures": drawings, "Warnings": r.AllWarnings(),
		"Parameters": count(r.Model.Parameters), "Bytes": size(r.Model.Bytes)})
}

// Save writes report.json, report.md, report.csv, report.html and the pictures as PNG to a folder, which is made where it is not there. Each
// file appears whole.
func (r *Report) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("report: %w", err)
	}
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
	for name, data := range files {
		if err := save(filepath.Join(dir, name), data); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}
