package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// writer turns a table into go-pretty's, from which all text forms come.
func (t Table) writer(out io.Writer) table.Writer {
	w := table.NewWriter()
	w.SetOutputMirror(out)
	style := table.StyleRounded
	style.Format.Header = text.FormatDefault
	w.SetStyle(style)
	header := table.Row{}
	var columns []table.ColumnConfig
	for i, name := range t.Header {
		header = append(header, name)
		align := text.AlignRight
		if i == 0 || t.wordy(i) {
			align = text.AlignLeft
		}
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align, WidthMax: 60})
	}
	w.AppendHeader(header)
	w.SetColumnConfigs(columns)
	for _, cells := range t.Rows {
		row := table.Row{}
		for _, cell := range cells {
			row = append(row, cell)
		}
		w.AppendRow(row)
	}
	return w
}

// wordy says whether a column holds words rather than figures.
func (t Table) wordy(column int) bool {
	for _, row := range t.Rows {
		if cell := row[column]; cell != "" && !strings.ContainsAny(cell[:1], "0123456789-–∞< ") {
			return true
		}
	}
	return false
}

// Terminal writes the tables for a screen.
func (r *Report) Terminal(out io.Writer) error {
	s := &strings.Builder{}
	r.heading(s)
	for _, t := range r.Tables() {
		fmt.Fprintf(s, "\n%s\n", t.Title)
		t.writer(s).Render()
		if t.Note != "" {
			fmt.Fprintln(s, text.WrapSoft(t.Note, 110))
		}
	}
	r.generations(s)
	for _, warning := range r.AllWarnings() {
		fmt.Fprintf(s, "\n%s\n", text.WrapSoft("Warning: "+warning, 110))
	}
	if r.Output != "" {
		fmt.Fprintf(s, "\nThe smaller model is in %s; it was opened again and computes the same logits.\n", r.Output)
	}
	_, err := io.WriteString(out, s.String())
	return err
}

// heading is what was looked at, and with what.
func (r *Report) heading(s io.Writer) {
	fmt.Fprintf(s, "%s: %s, %d layers, %s parameters\n", r.Model.Ref, r.Model.Architecture, r.Model.Layers, count(r.Model.Parameters))
	fmt.Fprintf(s, "on %s (%s), compute %s\n", r.Device.Name, r.Device.ISA, r.Device.Compute)
	if c := r.Calibration; c != nil {
		fmt.Fprintf(s, "measured on %s: %d tokens in %d sequences\n", c.Source, c.Tokens, c.Sequences)
	}
}

func (r *Report) generations(s io.Writer) {
	for _, g := range r.Generation {
		fmt.Fprintf(s, "\nContinuing %q\n  whole:   %q\n  smaller: %q (repeats %.0f %%)\n", g.Prompt, g.Dense, g.Pruned, 100*g.Repeats)
	}
}

// AllWarnings are the plan's warnings and the report's own.
func (r *Report) AllWarnings() []string {
	var all []string
	if r.Plan != nil {
		all = append(all, r.Plan.Warnings...)
	}
	return append(all, r.Warnings...)
}

// Markdown writes the tables as Markdown.
func (r *Report) Markdown(out io.Writer) error {
	s := &strings.Builder{}
	fmt.Fprintf(s, "# %s\n\n", r.Model.Ref)
	r.heading(s)
	for _, t := range r.Tables() {
		fmt.Fprintf(s, "\n## %s\n\n", t.Title)
		t.writer(s).RenderMarkdown()
		if t.Note != "" {
			fmt.Fprintf(s, "\n%s\n", t.Note)
		}
	}
	for _, warning := range r.AllWarnings() {
		fmt.Fprintf(s, "\n**Warning:** %s\n", warning)
	}
	r.generations(s)
	s.WriteString("\n## References\n\n")
	for _, c := range r.References {
		fmt.Fprintf(s, "- %s (%d): %s. arXiv %s\n", c.Authors, c.Year, c.Title, c.ArXiv)
	}
	_, err := io.WriteString(out, s.String())
	return err
}

// CSV writes the tables as comma-separated values, one after the other, each under a line with its title.
func (r *Report) CSV(out io.Writer) error {
	s := &strings.Builder{}
	for i, t := range r.Tables() {
		if i > 0 {
			s.WriteString("\n")
		}
		fmt.Fprintf(s, "# %s\n", t.Title)
		t.writer(s).RenderCSV()
	}
	_, err := io.WriteString(out, s.String())
	return err
}
