package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"avssnative/internal/report/escape"
)

// CSV writes the tables as comma-separated values, one after the other, each under a line with its title. A cell holds one number with all
// its digits, in the units of report.json (a share is a part of one), or words; a number that there is none of is empty, infinity is inf.
func (r *Report) CSV(out io.Writer) error {
	var b bytes.Buffer
	for i, t := range r.Tables() {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# %s\n", t.Title)
		if err := t.csv(&b); err != nil {
			return fmt.Errorf("report: csv: %w", err)
		}
	}
	if warnings := r.AllWarnings(); len(warnings) > 0 {
		b.WriteString("\n# Warnings\n")
		w := csv.NewWriter(&b)
		_ = w.Write([]string{"warning"}) // into memory
		for _, warning := range warnings {
			_ = w.Write([]string{escape.CSV(warning)})
		}
		w.Flush()
	}
	_, err := out.Write(b.Bytes())
	return err
}

func (t *Table) csv(out io.Writer) error {
	w := csv.NewWriter(out)
	var record []string
	for _, c := range t.Columns {
		if c.Parts == nil {
			record = append(record, c.Key)
		}
		for _, part := range c.Parts {
			if part != "" {
				part = "_" + part
			}
			record = append(record, c.Key+part)
		}
	}
	if err := w.Write(record); err != nil {
		return err
	}
	for _, row := range t.Rows {
		record = record[:0]
		for i, c := range row.Cells {
			if c == nil {
				record = append(record, make([]string, max(1, len(t.Columns[i].Parts)))...)
				continue
			}
			for _, v := range c.values() {
				record = append(record, plain(v))
			}
		}
		if err := w.Write(record); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// plain is a value as a program reads it.
func plain(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		switch {
		case math.IsNaN(v):
			return ""
		case math.IsInf(v, 1):
			return "inf"
		case math.IsInf(v, -1):
			return "-inf"
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return escape.CSV(v)
	}
	panic(fmt.Sprintf("report: a cell holds a %T", v))
}
