package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"avssnative/internal/report/escape"
)

// Markdown writes the tables as GitHub's Markdown.
func (r *Report) Markdown(out io.Writer) error {
	s := &strings.Builder{}
	fmt.Fprintf(s, "# %s\n\n", escape.Markdown(r.name()))
	for i, line := range r.heading() {
		if i > 0 {
			s.WriteString("  \n") // a line of its own in the same paragraph
		}
		s.WriteString(escape.Markdown(line))
	}
	s.WriteString("\n")
	for i, sentence := range r.Verdict() {
		if i == 0 {
			s.WriteString("\n")
		}
		if i == 0 {
			fmt.Fprintf(s, "1. **%s**\n", escape.Markdown(sentence))
			continue
		}
		if command := strings.TrimPrefix(sentence, next); i == commandSentence && pasted.MatchString(command) && !strings.Contains(command, "://") {
			fmt.Fprintf(s, "%d. %s`%s`\n", i+1, next, command)
			continue
		}
		fmt.Fprintf(s, "%d. %s\n", i+1, escape.Markdown(sentence))
	}
	for _, warning := range r.AllWarnings() {
		fmt.Fprintf(s, "\n**Warning:** %s\n", escape.Markdown(warning))
	}
	if became := r.became(); became != nil {
		fmt.Fprintf(s, "\n%s\n", escape.Markdown(strings.Join(became, " ")))
	}
	for _, t := range r.Tables() {
		t.markdown(s)
	}
	if len(r.Generation) > 0 {
		s.WriteString("\n## What the models say\n")
	}
	for _, g := range r.Generation {
		fmt.Fprintf(s, "\n%s\n\n- dense: %s\n", escape.Markdown(fmt.Sprintf("Continuing %q:", g.Prompt)), escape.Markdown(fmt.Sprintf("%q", g.Dense)))
		if g.Pruned != nil {
			fmt.Fprintf(s, "- pruned: %s\n", escape.Markdown(fmt.Sprintf("%q", *g.Pruned)))
		}
		fmt.Fprintf(s, "- repeats itself: %s\n", g.Repetition())
	}
	s.WriteString("\n## References\n\n")
	for _, c := range r.bibliography() {
		fmt.Fprintf(s, "- %s\n", escape.Markdown(cite(c)))
	}
	_, err := io.WriteString(out, s.String())
	return err
}

// markdown writes one table under its title.
func (t *Table) markdown(s *strings.Builder) {
	fmt.Fprintf(s, "\n## %s\n\n", escape.Markdown(t.Title))
	line := func(cell func(column int) string) {
		for i := range t.Columns {
			s.WriteString("| ")
			s.WriteString(cell(i))
			s.WriteByte(' ')
		}
		s.WriteString("|\n")
	}
	line(func(i int) string { return escape.Markdown(t.Columns[i].Name) })
	line(func(i int) string {
		if t.left(i) {
			return "---"
		}
		return "---:"
	})
	for _, row := range t.Rows {
		line(func(i int) string { return escape.Markdown(shown(row.Cells[i])) })
	}
	if t.Note != "" {
		fmt.Fprintf(s, "\n%s\n", escape.Markdown(t.Note))
	}
	for i, note := range t.Notes {
		if i == 0 {
			s.WriteString("\n")
		}
		fmt.Fprintf(s, "- %s\n", escape.Markdown(note))
	}
}

// pasted are command lines that stand as they are: what escapes a text would be copied with it. Any other is escaped.
var pasted = regexp.MustCompile(`^[A-Za-z0-9_./:=,%@+ '-]+$`)
