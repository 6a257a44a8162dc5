package report

// The kinds of value that a table holds. A person reads each in one form, a program reads the numbers in it.

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"avssnative/avss"
)

// Cell is one value of a table; nil is an empty one.
type Cell interface {
	// shown is what a person reads.
	shown() string
	// values are what a program reads, one for each part of the column: a string, an int64, a float64, or nil for none.
	values() []any
}

// Text is words, of this program or of a file.
type Text string

func (t Text) shown() string { return string(t) }
func (t Text) values() []any { return []any{string(t)} }

// Term is what a person calls something that has a stable name for programs.
type Term struct{ Key, Name string }

func (t Term) shown() string { return t.Name }
func (t Term) values() []any { return []any{t.Key} }

// Numbered is a Term that columns refer to by its number.
type Numbered struct {
	Number    int
	Key, Name string
}

func (n Numbered) shown() string { return fmt.Sprintf("%d %s", n.Number, n.Name) }
func (n Numbered) values() []any { return []any{n.Key} }

// Mark says of a row that it is set apart, with a word for it; programs read 1 or 0.
type Mark struct {
	Set  bool
	Word string
}

func (m Mark) shown() string {
	if m.Set {
		return m.Word
	}
	return ""
}

func (m Mark) values() []any {
	if m.Set {
		return []any{int64(1)}
	}
	return []any{int64(0)}
}

// Count is a whole number.
type Count int64

func (c Count) shown() string { return c.String() }

// String is the number in digits.
func (c Count) String() string { return strconv.FormatInt(int64(c), 10) }
func (c Count) values() []any  { return []any{int64(c)} }

// Quantity is a whole number that is large: 3.22 M.
type Quantity int64

func (q Quantity) shown() string { return q.String() }

// String is the number in few digits.
func (q Quantity) String() string { return count(int64(q)) }
func (q Quantity) values() []any  { return []any{int64(q)} }

// Fraction is so many of so many; programs read how many.
type Fraction struct{ Part, Of int }

func (f Fraction) shown() string { return fmt.Sprintf("%d of %d", f.Part, f.Of) }
func (f Fraction) values() []any { return []any{int64(f.Part)} }

// Bytes is a size.
type Bytes int64

func (b Bytes) shown() string { return b.String() }

// String is the size with its unit.
func (b Bytes) String() string { return size(int64(b)) }
func (b Bytes) values() []any  { return []any{int64(b)} }

// Number is a number with so many decimal places, or as a power of ten where it is Wide.
type Number struct {
	Value  float64
	Places int
	Wide   bool
}

func (n Number) shown() string {
	if n.Wide && isFinite(n.Value) {
		return fmt.Sprintf("%.2e", n.Value)
	}
	return decimals(n.Value, n.Places)
}

func (n Number) values() []any { return []any{n.Value} }

// Interval is from one number to another.
type Interval struct{ Low, High Number }

func (i Interval) shown() string {
	low, high := i.Low.shown(), i.High.shown()
	if low == high {
		return low
	}
	return low + "–" + high
}

func (i Interval) values() []any { return []any{i.Low.Value, i.High.Value} }

// intervalParts are the columns that a program reads of an Interval.
var intervalParts = []string{"low", "high"}

func (f Figure) shown() string { return f.String() }
func (f Figure) values() []any { return []any{float64(f.Value), float64(f.Stderr)} }

// figureParts are the columns that a program reads of a Figure.
var figureParts = []string{"", "stderr"}

// Share is a part of one, shown in per cent.
type Share float64

func (s Share) shown() string { return Percent(avss.Value(s)) }
func (s Share) values() []any { return []any{float64(s)} }

// Kept is a share with its interval.
type Kept struct {
	Share Share
	Span  *Span
}

func (k Kept) shown() string {
	if k.Span == nil || !isFinite(float64(k.Span.Low)) || !isFinite(float64(k.Span.High)) {
		return k.Share.shown()
	}
	return fmt.Sprintf("%s (%.0f–%.0f)", k.Share.shown(), 100*float64(k.Span.Low), 100*float64(k.Span.High))
}

func (k Kept) values() []any {
	if k.Span == nil {
		return []any{float64(k.Share), nan, nan}
	}
	return []any{float64(k.Share), float64(k.Span.Low), float64(k.Span.High)}
}

// keptParts are the columns that a program reads of a Kept.
var keptParts = []string{"", "low", "high"}

// ratio is a share of whole numbers.
func ratio(part, of int64) Share {
	if of == 0 {
		return Share(math.NaN())
	}
	return Share(float64(part) / float64(of))
}

// Portion is a number of things and which share of all they are.
type Portion struct {
	Count int
	Share float64
}

func (p Portion) shown() string { return fmt.Sprintf("%d (%.0f %%)", p.Count, 100*p.Share) }
func (p Portion) values() []any { return []any{int64(p.Count), p.Share} }

// portionParts are the columns that a program reads of a Portion.
var portionParts = []string{"", "share"}

// Probability is a p-value.
type Probability float64

func (p Probability) shown() string {
	switch {
	case math.IsNaN(float64(p)):
		return unknown
	case p < 1e-3:
		return "< 0.001"
	}
	return fmt.Sprintf("%.3f", float64(p))
}

func (p Probability) values() []any { return []any{float64(p)} }

// LayerSet is layers in ascending order: 0, 3, 12–15. Programs read the numbers between spaces.
type LayerSet []int

func (l LayerSet) shown() string { return l.String() }

// String is the numbers, runs as 12–15.
func (l LayerSet) String() string { return layers(l) }
func (l LayerSet) values() []any  { return []any{spaced(l)} }

// LayerOrder is layers in an order that means something.
type LayerOrder []int

func (l LayerOrder) shown() string { return strings.ReplaceAll(spaced(l), " ", ", ") }
func (l LayerOrder) values() []any { return []any{spaced(l)} }

func spaced(layers []int) string { return strings.Trim(fmt.Sprint(layers), "[]") }

// words says whether a cell is read as words, which stand at the left of their column.
func words(c Cell) bool {
	switch c.(type) {
	case Text, Term, Numbered, Mark:
		return true
	}
	return false
}
