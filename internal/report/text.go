package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// lineWidth is how wide text is on a terminal; tables keep within it where their figures allow.
const lineWidth = 98

// columnWidth is how wide a column of words may be.
const columnWidth = 46

// writer turns a table into go-pretty's, from which all text forms come.
func (t Table) writer(out io.Writer) table.Writer {
	w := table.NewWriter()
	w.SetOutputMirror(out)
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Options.DrawBorder, style.Options.SeparateColumns = false, false
	w.SetStyle(style)
	header := table.Row{}
	var columns []table.ColumnConfig
	for i, name := range t.Header {
		header = append(header, name)
		align := text.AlignRight
		if i == 0 || t.wordy(i) {
			align = text.AlignLeft
		}
		columns = append(columns, table.ColumnConfig{Number: i + 1, Align: align, AlignHeader: align, WidthMax: columnWidth, WidthMaxEnforcer: text.WrapSoft})
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

// flat is the table with headers of one line, for forms that have no width.
func (t Table) flat() Table {
	t.Header = append([]string{}, t.Header...)
	for i, name := range t.Header {
		t.Header[i] = flatHeader(name)
	}
	return t
}

func flatHeader(name string) string {
	name = strings.ReplaceAll(strings.ReplaceAll(name, "_\n", "_"), "-\n", "")
	return strings.ReplaceAll(name, "\n", " ")
}

// wordy says whether a column holds words rather than figures.
func (t Table) wordy(column int) bool {
	for _, row := range t.Rows {
		cell := row[column]
		figure := cell == "" || strings.ContainsAny(cell[:1], "0123456789-<") || strings.HasPrefix(cell, "–") || strings.HasPrefix(cell, "∞")
		if !figure {
			return true
		}
	}
	return false
}

// wrapped is a paragraph of the terminal's width, later lines set in by indent.
func wrapped(paragraph, indent string) string {
	lines := strings.Split(text.WrapSoft(paragraph, lineWidth-len(indent)), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
		if i > 0 {
			lines[i] = indent + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

// Terminal writes the tables for a screen.
func (r *Report) Terminal(out io.Writer) error {
	s := &strings.Builder{}
	r.heading(s)
	if verdict := r.Verdict(); verdict != "" {
		fmt.Fprintf(s, "\n%s\n", wrapped(verdict, ""))
	}
	for _, warning := range r.AllWarnings() {
		fmt.Fprintf(s, "\n%s\n", wrapped("Warning: "+warning, "  "))
	}
	for i, t := range r.Tables() {
		fmt.Fprintf(s, "\n%s\n", t.Title)
		var drawn strings.Builder
		t.writer(&drawn).Render()
		for _, line := range strings.Split(strings.TrimRight(drawn.String(), "\n"), "\n") {
			fmt.Fprintln(s, strings.TrimRight(line, " "))
		}
		if t.Note != "" {
			fmt.Fprintln(s, wrapped(t.Note, ""))
		}
		for _, note := range t.Notes {
			fmt.Fprintln(s, wrapped("- "+note, "  "))
		}
		if i == 0 {
			r.generations(s)
		}
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
		fmt.Fprintf(s, "\n%s\n", wrapped(fmt.Sprintf("Continuing %q:", g.Prompt), "  "))
		fmt.Fprintln(s, "  "+wrapped(fmt.Sprintf("whole: %q", g.Dense), "    "))
		if g.Pruned != nil {
			fmt.Fprintln(s, "  "+wrapped(fmt.Sprintf("smaller: %q", *g.Pruned), "    "))
		}
		fmt.Fprintf(s, "  repeats itself: %s\n", g.Repetition())
	}
}

// Repetition says how much the texts repeat themselves.
func (g Generation) Repetition() string {
	if g.Pruned == nil {
		return fmt.Sprintf("%.0f %% of the runs of four tokens", 100*g.RepeatsDense)
	}
	return fmt.Sprintf("whole %.0f %%, smaller %.0f %% of the runs of four tokens", 100*g.RepeatsDense, 100*g.Repeats)
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
	if verdict := r.Verdict(); verdict != "" {
		fmt.Fprintf(s, "\n**%s**\n", verdict)
	}
	for _, warning := range r.AllWarnings() {
		fmt.Fprintf(s, "\n**Warning:** %s\n", warning)
	}
	for _, t := range r.Tables() {
		fmt.Fprintf(s, "\n## %s\n\n", t.Title)
		t.flat().writer(s).RenderMarkdown()
		if t.Note != "" {
			fmt.Fprintf(s, "\n%s\n", t.Note)
		}
		for i, note := range t.Notes {
			if i == 0 {
				s.WriteString("\n")
			}
			fmt.Fprintf(s, "- %s\n", note)
		}
	}
	r.generations(s)
	s.WriteString("\n## References\n\n")
	for _, c := range r.References {
		fmt.Fprintf(s, "- %s (%d): %s.", c.Authors, c.Year, c.Title)
		if c.ArXiv != "" {
			fmt.Fprintf(s, " arXiv %s", c.ArXiv)
		}
		s.WriteString("\n")
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
		t.flat().writer(s).RenderCSV()
	}
	_, err := io.WriteString(out, s.String())
	return err
}
