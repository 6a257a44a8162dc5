package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"avssnative/avss"
)

// Terminal writes the comparison for a screen.
func (c *Comparison) Terminal(out io.Writer) error {
	s := &strings.Builder{}
	for i, t := range c.tables() {
		if i > 0 {
			s.WriteByte('\n')
		}
		t.screen(s)
	}
	_, err := io.WriteString(out, s.String())
	return err
}

// tables are those that there is something for.
func (c *Comparison) tables() []*Table {
	subjects := NewTable("Two reports", "", "A", "B", "same")
	for _, w := range c.Subjects {
		subjects.Add(Text(w.What), Text(w.A), Text(w.B), Mark{w.Same, "yes"})
	}
	for _, caution := range c.Cautions {
		subjects.note("%s.", caution)
	}
	all := []*Table{subjects}
	if c.Plan != nil {
		t := NewTable("What goes", "in", "layers")
		for _, row := range []struct {
			name  string
			units []int
		}{{"both", c.Plan.Both}, {"A alone", c.Plan.OnlyA}, {"B alone", c.Plan.OnlyB}} {
			t.Add(Text(row.name), units(row.units, c.Plan.Unit, false))
		}
		all = append(all, t)
	}
	if t := c.figureTable(); len(t.Rows) > 0 {
		all = append(all, t)
	}
	if t := c.taskTable(); len(t.Rows) > 0 {
		all = append(all, t)
	}
	if t := c.scoreTable(); len(t.Rows)+len(t.Notes) > 0 {
		all = append(all, t)
	}
	return all
}

func (c *Comparison) figureTable() *Table {
	t := NewTable("Figures", "", "A", "B", "B/A")
	for _, f := range c.Figures {
		t.Add(Term{f.Key, f.name}, present(f.A, f.cell), present(f.B, f.cell), relative(f.A, f.B))
	}
	return t
}

func (c *Comparison) taskTable() *Table {
	t := NewTable("Tasks", "task", "metric", "A dense", "B dense", "A pruned", "B pruned", "A kept", "B kept")
	value := func(v float64) Cell { return Number{Value: v, Places: 4} }
	share := func(v float64) Cell { return Share(v) }
	for _, k := range c.Tasks {
		t.Add(Text(k.Name), Text(k.Metric), present(k.DenseA, value), present(k.DenseB, value), present(k.PrunedA, value), present(k.PrunedB, value),
			present(k.RetentionA, share), present(k.RetentionB, share))
	}
	return t
}

func (c *Comparison) scoreTable() *Table {
	t := NewTable("Agreement of the scores", "scores", "Spearman's ρ", "Kendall's τ")
	for _, k := range c.Scores {
		t.Add(Term{k.Key, c.labels[k.Key]}, Number{Value: float64(k.Spearman), Places: 3}, Number{Value: float64(k.Kendall), Places: 3})
	}
	if len(t.Rows) > 0 {
		t.Note = "1: both rank the layers alike; −1: the other way round."
	}
	for i, side := range []string{"A", "B"} {
		if len(c.Only[i]) > 0 {
			t.note("Only %s has the scores %s.", side, strings.Join(c.Only[i], ", "))
		}
	}
	return t
}

// present is a figure, or nothing where there is none.
func present(v avss.Value, cell func(float64) Cell) Cell {
	if math.IsNaN(float64(v)) {
		return nil
	}
	return cell(float64(v))
}

// relative is one figure over another.
func relative(a, b avss.Value) Cell {
	ratio := float64(b) / float64(a)
	if !isFinite(ratio) {
		return nil
	}
	return Text(fmt.Sprintf("%.3f", ratio))
}
