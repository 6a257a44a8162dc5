package report

import (
	"io"
	"strings"
	"time"
)

// Entry is one report in a list of several.
type Entry struct {
	Path    string // of its page, below the list's; as it stands in an address
	Name    string // of its folder
	Model   string
	Finding string // the first sentence of its verdict
	Command string
	Created time.Time
	Problem string // why it cannot be read; nothing else is known of it then
}

// NewEntry is the entry of a report.
func NewEntry(path, name string, r *Report) Entry {
	e := Entry{Path: path, Name: name, Model: r.name(), Command: strings.Join(r.Command, " "), Created: r.Created,
		Finding: "What was measured, without a verdict."}
	if verdict := r.Verdict(); len(verdict) > 0 {
		e.Finding = verdict[0]
	}
	return e
}

// Index writes a page that lists reports found in a folder. more says what was left out; empty: nothing.
func Index(out io.Writer, folder string, entries []Entry, more string) error {
	return page.ExecuteTemplate(out, "index.html", map[string]any{"Folder": folder, "Entries": entries, "More": more, "Policy": Policy,
		"Style": element("style", "", pageStyle)})
}
