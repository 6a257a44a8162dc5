package report

import (
	"fmt"
	"strings"
)

// Table is a table before it is shown anywhere. Each form renders it once; what it holds knows nothing of forms.
type Table struct {
	Title   string
	Columns []Column
	Rows    []Row
	Note    string         // below it
	Notes   []string       // below that, one by one
	single  bool           // it tells of single layers or of the run itself: its place is behind the pictures
	labels  int            // how many of the first columns say what a row is about; 0: one
	keys    map[string]int // how often columns asked for a key
}

// Column says what a column holds.
type Column struct {
	Key   string   // for programs: small letters, digits and _, once in a table
	Name  string   // for a person
	Parts []string // of columns whose cells hold several numbers: what is behind Key for each; nil: one number
}

// Row is one line of a table.
type Row struct {
	Cells   []Cell
	Dropped bool // it is about a layer that goes
}

// Tables are all tables the report has something for, in the order a reader wants them.
func (r *Report) Tables() []Table {
	var all []Table
	for _, make := range []func() (Table, bool){r.summaryTable, r.taskTable, r.wordsTable, r.answerTable, r.fluencyTable, r.planTable,
		r.textSetTable, r.textLayerTable, r.repairTable,
		r.sweepTable, r.alternativeTable,
		r.sweepPlansTable, r.agreementTable, r.layerTable, r.intervalTable, r.stabilityTable, r.settledTable, r.activationTable, r.timeTable} {
		if t, has := make(); has {
			all = append(all, t)
		}
	}
	return all
}

// column adds a column. Keys that come out the same are told apart by a number.
func (t *Table) column(key, name string, parts ...string) {
	if t.keys == nil {
		t.keys = map[string]int{}
	}
	key = slug(key, "_")
	unique := key
	for t.keys[unique] > 0 {
		t.keys[key]++
		unique = fmt.Sprintf("%s_%d", key, t.keys[key])
	}
	t.keys[unique]++
	t.Columns = append(t.Columns, Column{unique, name, parts})
}

func (t *Table) add(cells ...Cell) { t.Rows = append(t.Rows, Row{Cells: cells}) }

// fill makes the rows from columns of equal length.
func (t *Table) fill(columns [][]Cell) {
	t.Rows = make([]Row, len(columns[0]))
	for i := range t.Rows {
		cells := make([]Cell, len(columns))
		for k, column := range columns {
			cells[k] = column[i]
		}
		t.Rows[i].Cells = cells
	}
}

func (t *Table) note(format string, arguments ...any) {
	t.Notes = append(t.Notes, fmt.Sprintf(format, arguments...))
}

// left says whether a column stands at the left: the first one, and words.
func (t *Table) left(column int) bool {
	for _, row := range t.Rows {
		if c := row.Cells[column]; column > 0 && c != nil {
			return words(c)
		}
	}
	return column == 0
}

// shown is a cell as a person reads it.
func shown(c Cell) string {
	if c == nil {
		return ""
	}
	return c.shown()
}

// slugLength is how much of a name a slug keeps.
const slugLength = 48

// slug is a name of small letters and digits alone, parted by one sign: safe as a file's name and as a column's, whatever the name was.
func slug(name, sign string) string {
	var b strings.Builder
	pending := false
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if pending && b.Len() > 0 {
				b.WriteString(sign)
			}
			pending = false
			b.WriteRune(r)
		} else {
			pending = true
		}
		if b.Len() >= slugLength {
			break
		}
	}
	if b.Len() == 0 {
		return "unnamed"
	}
	return b.String()
}
