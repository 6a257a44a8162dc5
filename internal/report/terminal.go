package report

// The form for a screen: nothing is wider than lineWidth, whatever the number of columns.

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"avssnative/internal/report/escape"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

const (
	// lineWidth is how wide a terminal is that nobody made wider.
	lineWidth = 80
	// columnGap stands at the right of every column.
	columnGap = "  "
	// wordWidth is how wide a column may be, labelWidth the first one where the table is parted: together they fit.
	wordWidth, labelWidth = 44, 32
	// headWidth is how wide a column may become for the sake of one word of its name.
	headWidth = 22
)

// Terminal writes all there is for a screen.
func (r *Report) Terminal(out io.Writer) error {
	return errors.Join(r.Results(out), r.Ending(out, len(r.AllWarnings())))
}

// Ending writes what became of the pruned model, and the warnings that came up while it was written: those behind as many as were said before.
func (r *Report) Ending(out io.Writer, said int) error {
	s := &strings.Builder{}
	for _, warning := range r.AllWarnings()[said:] {
		fmt.Fprintf(s, "\n%s\n", wrapped("Warning: "+warning, "  "))
	}
	for i, line := range r.became() {
		if i == 0 {
			s.WriteByte('\n')
		}
		fmt.Fprintln(s, escape.Terminal(line))
	}
	_, err := io.WriteString(out, s.String())
	return err
}

// Results writes the tables, and all else that is known before the pruned model is written.
func (r *Report) Results(out io.Writer) error {
	s := &strings.Builder{}
	for _, line := range r.heading() {
		fmt.Fprintln(s, wrapped(line, "  "))
	}
	for i, sentence := range r.Verdict() {
		if i == 0 {
			s.WriteByte('\n')
		}
		if i == commandSentence { // a command that is folded cannot be pasted
			fmt.Fprintln(s, escape.Terminal(sentence))
			continue
		}
		fmt.Fprintln(s, wrapped(sentence, "  "))
	}
	for _, warning := range r.AllWarnings() {
		fmt.Fprintf(s, "\n%s\n", wrapped("Warning: "+warning, "  "))
	}
	for i, t := range r.Tables() {
		s.WriteByte('\n')
		t.screen(s)
		if i == 0 {
			r.generations(s)
		}
	}
	_, err := io.WriteString(out, s.String())
	return err
}

// generations shows what the models said.
func (r *Report) generations(s io.Writer) {
	for _, g := range r.Generation {
		fmt.Fprintf(s, "\n%s\n", wrapped(fmt.Sprintf("Continuing %q:", g.Prompt), "  "))
		fmt.Fprintln(s, "  "+wrapped(fmt.Sprintf("dense: %q", g.Dense), "    "))
		if g.Pruned != nil {
			fmt.Fprintln(s, "  "+wrapped(fmt.Sprintf("pruned: %q", *g.Pruned), "    "))
		}
		fmt.Fprintf(s, "  repeats itself: %s\n", g.Repetition())
	}
}

// wrapped is a paragraph of the terminal's width, later lines set in by indent.
func wrapped(paragraph, indent string) string {
	lines := folded(escape.Terminal(paragraph), lineWidth-2*len(indent))
	return strings.Join(lines, "\n"+indent)
}

// folded is text in lines of at most a width, broken between words where there are some.
func folded(s string, width int) []string {
	lines := strings.Split(text.WrapSoft(s, width), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// drawnColumn is a column's cells as they are drawn, each in lines of the column's width.
type drawnColumn struct {
	head  []string
	cells [][]string
	width int
	left  bool
}

// draw folds a column's cells.
func (t *Table) draw(column, most int) drawnColumn {
	d := drawnColumn{left: t.left(column)}
	for _, row := range t.Rows {
		lines := []string{""}
		if s := escape.Terminal(shown(row.Cells[column])); s != "" {
			lines = folded(s, most)
		}
		for _, line := range lines {
			d.width = max(d.width, text.StringWidthWithoutEscSequences(line))
		}
		d.cells = append(d.cells, lines)
	}
	return d
}

// name puts the columns' names above them, folded no more than it takes for all columns to fit beside each other.
func (t *Table) name(columns []drawnColumn) {
	for _, most := range []int{lineWidth, 16, 12, 0} {
		together := 0
		widths := make([]int, len(columns))
		for i := range columns {
			c := &columns[i]
			c.head = headLines(escape.Terminal(t.Columns[i].Name), max(c.width, most))
			widths[i] = c.width
			for _, line := range c.head {
				widths[i] = max(widths[i], text.StringWidthWithoutEscSequences(line))
			}
			together += widths[i] + len(columnGap)
		}
		if together <= lineWidth || most == 0 {
			for i := range columns {
				columns[i].width = widths[i]
			}
			return
		}
	}
}

// headLines folds a column's name, at spaces and behind _, into lines as wide as the column or as its own longest word.
func headLines(name string, width int) []string {
	words := strings.SplitAfter(strings.ReplaceAll(name, "_", "_\x00"), " ")
	words = strings.Split(strings.Join(words, "\x00"), "\x00")
	for _, word := range words {
		width = max(width, min(headWidth, text.StringWidthWithoutEscSequences(strings.TrimRight(word, " "))))
	}
	var lines []string
	line := ""
	for _, word := range words {
		if line != "" && text.StringWidthWithoutEscSequences(strings.TrimRight(line+word, " ")) > width {
			lines = append(lines, folded(line, width)...)
			line = ""
		}
		line += word
	}
	return append(lines, folded(line, width)...)
}

// blocks parts the columns behind the first ones, which say what a row is about, into groups that fit beside these.
func blocks(columns []drawnColumn, labels int) [][]drawnColumn {
	var all [][]drawnColumn
	label := 0
	for _, c := range columns[:labels] {
		label += c.width + len(columnGap)
	}
	at := lineWidth + 1
	for _, c := range columns[labels:] {
		if width := c.width + len(columnGap); at+width > lineWidth {
			all = append(all, append(columns[:labels:labels], c))
			at = label + width
		} else {
			all[len(all)-1] = append(all[len(all)-1], c)
			at += width
		}
	}
	if len(all) == 0 {
		return [][]drawnColumn{columns}
	}
	return all
}

// terminal draws the table, in several blocks below each other where its columns are more than fit.
func (t *Table) terminal(s *strings.Builder) {
	columns, labels := make([]drawnColumn, len(t.Columns)), max(1, t.labels)
	for i := range columns {
		columns[i] = t.draw(i, wordWidth)
	}
	if t.name(columns); len(blocks(columns, labels)) > 1 && columns[0].width > labelWidth {
		columns[0] = t.draw(0, labelWidth)
		t.name(columns)
	}
	for i, block := range blocks(columns, labels) {
		if i > 0 {
			s.WriteByte('\n')
		}
		var drawn strings.Builder
		w := table.NewWriter()
		w.SetOutputMirror(&drawn)
		style := table.StyleLight
		style.Format.Header = text.FormatDefault
		style.Box.PaddingLeft, style.Box.PaddingRight = "", columnGap
		style.Options.DrawBorder, style.Options.SeparateColumns = false, false
		w.SetStyle(style)
		header := table.Row{}
		var configs []table.ColumnConfig
		for k, c := range block {
			header = append(header, strings.Join(c.head, "\n"))
			align := text.AlignRight
			if c.left {
				align = text.AlignLeft
			}
			configs = append(configs, table.ColumnConfig{Number: k + 1, Align: align, AlignHeader: align})
		}
		w.AppendHeader(header)
		w.SetColumnConfigs(configs)
		for row := range t.Rows {
			line := table.Row{}
			for _, c := range block {
				line = append(line, strings.Join(c.cells[row], "\n"))
			}
			w.AppendRow(line)
		}
		w.Render()
		for _, line := range strings.Split(strings.TrimRight(drawn.String(), "\n"), "\n") {
			fmt.Fprintln(s, strings.TrimRight(line, " "))
		}
	}
}
