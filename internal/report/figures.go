package report

// How numbers and lists are written for a person.

import (
	"fmt"
	"math"
	"strings"

	"avssnative/avss"
)

// unknown stands for a number that there is none of.
const unknown = "–"

var nan = math.NaN()

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// String is the figure with its standard error, to the error's second digit.
func (f Figure) String() string {
	value, stderr := float64(f.Value), float64(f.Stderr)
	if math.IsNaN(stderr) || math.IsInf(stderr, 0) || stderr <= 0 || math.Abs(value) >= 1e6 {
		return short(value)
	}
	places := min(6, max(0, 1-int(math.Floor(math.Log10(stderr)))))
	return decimals(value, places) + " ± " + decimals(stderr, places)
}

// short shows four figures.
func short(v float64) string {
	if v != 0 && (math.Abs(v) < 1e-3 || math.Abs(v) >= 1e5) && !math.IsInf(v, 0) {
		return fmt.Sprintf("%.3g", v)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return decimals(v, 0)
	}
	return fmt.Sprintf("%.4g", v)
}

// decimals shows a number with so many decimal places.
func decimals(v float64, places int) string {
	switch {
	case math.IsNaN(v):
		return unknown
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "-∞"
	case math.Abs(v) >= 1e7:
		return fmt.Sprintf("%.2e", v)
	}
	return fmt.Sprintf("%.*f", places, v)
}

// aligned are numbers that stand below each other with the same decimal places: three figures of the smallest, fewer where they span so
// much that they would be too wide, and a power of ten where nothing else shows them.
func aligned(values []float64) []Cell {
	low, high := math.Inf(1), 0.0
	for _, v := range values {
		if a := math.Abs(v); !math.IsNaN(v) && !math.IsInf(v, 0) && a > 0 {
			low, high = min(low, a), max(high, a)
		}
	}
	if high == 0 {
		low, high = 1, 1
	}
	places := max(1, 2-int(math.Floor(math.Log10(low))))
	width := places + max(1, 1+int(math.Floor(math.Log10(high))))
	out := make([]Cell, len(values))
	for i, v := range values {
		out[i] = Number{v, places, width > 9}
	}
	return out
}

// Percent is a share as a person reads it; – where it is no number.
func Percent(v avss.Value) string {
	if !isFinite(float64(v)) {
		return unknown
	}
	return decimals(100*float64(v), 1) + " %"
}

// layers lists ascending layers as a person writes them: 0, 3, 12–15.
func layers(drop []int) string {
	var words []string
	for i := 0; i < len(drop); {
		j := i
		for j+1 < len(drop) && drop[j+1] == drop[j]+1 {
			j++
		}
		if j-i < 2 {
			words = append(words, fmt.Sprint(drop[i]))
			i++
			continue
		}
		words = append(words, fmt.Sprintf("%d–%d", drop[i], drop[j]))
		i = j + 1
	}
	return strings.Join(words, ", ")
}

func plural(word string, drop []int) string { return some(word, len(drop)) + " " + layers(drop) }

func some(word string, n int) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// count shows a number with a suffix: 3.2 M.
func count(n int64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, " T"}, {1e9, " G"}, {1e6, " M"}, {1e3, " k"}} {
		if float64(n) >= unit.size {
			return fmt.Sprintf("%.3g%s", float64(n)/unit.size, unit.name)
		}
	}
	return fmt.Sprint(n)
}

// size shows bytes in IEC units.
func size(n int64) string {
	for _, unit := range []struct {
		shift int
		name  string
	}{{40, "TiB"}, {30, "GiB"}, {20, "MiB"}, {10, "KiB"}} {
		if n >= 1<<unit.shift {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(int64(1)<<unit.shift), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}
