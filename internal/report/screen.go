package report

import (
	"fmt"
	"io"
	"strings"
)

// NewTable begins a table that is no report's, for a screen.
func NewTable(title string, columns ...string) *Table {
	t := &Table{Title: title}
	for _, name := range columns {
		t.column(name, name)
	}
	return t
}

// Add adds a line, a cell a column.
func (t *Table) Add(cells ...Cell) { t.add(cells...) }

// Terminal writes the table as a report shows it on a screen.
func (t *Table) Terminal(out io.Writer) error {
	s := &strings.Builder{}
	t.screen(s)
	_, err := io.WriteString(out, s.String())
	return err
}

// screen writes the title, the table and what is noted below it.
func (t *Table) screen(s *strings.Builder) {
	fmt.Fprintln(s, wrapped(t.Title, ""))
	t.terminal(s)
	if t.Note != "" {
		fmt.Fprintln(s, wrapped(t.Note, ""))
	}
	for _, note := range t.Notes {
		fmt.Fprintln(s, wrapped("- "+note, "  "))
	}
}

// Paragraph is text of a file or of this program in lines of a screen's width, later ones set in.
func Paragraph(text string) string { return wrapped(text, "  ") }
