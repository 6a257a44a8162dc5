package report

// What a picture shows of more rows than it has room for: the extremes, so that nothing that stands out is lost.

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	// mostLayers is how many layers a picture shows one by one; of more, the lowest and the highest of each group of neighbours.
	mostLayers = 400
	// mostTasks is how many tasks a picture shows; of more, the lowest and the highest.
	mostTasks = 40
	// mostLines is how many metrics a picture of a sweep has a line for; of more, those that end lowest and highest.
	mostLines = 40
	// mostRankings is how many rankings have a picture of their own, in the order of Keys.
	mostRankings = 60
	// mostText is how long a name in a picture may be.
	mostText = 40
)

// neighbours is how many layers share a group when so many are shown.
func neighbours(layers int) int { return max(1, (2*layers+mostLayers-1)/mostLayers) }

// extremes are the places, ascending, of the lowest and the highest value in each group of n neighbours; all of them where n is 1. Values that
// cannot be drawn are passed over unless keep says otherwise.
func extremes(values []float64, n int, keep func(float64) bool) []int {
	var places []int
	for begin := 0; begin < len(values); begin += n {
		low, high := -1, -1
		for i := begin; i < min(begin+n, len(values)); i++ {
			v := values[i]
			if !keep(v) {
				continue
			}
			if low < 0 || v < values[low] {
				low = i
			}
			if high < 0 || v >= values[high] {
				high = i
			}
		}
		if low < 0 {
			continue
		}
		places = append(places, min(low, high))
		if low != high {
			places = append(places, max(low, high))
		}
	}
	return places
}

// ends are the places, ascending, of the lowest and the highest of some values, at most `most` of them.
func ends(values []float64, most int) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	if len(values) <= most {
		return order
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	picked := append(order[:most/2:most/2], order[len(order)-(most-most/2):]...)
	slices.Sort(picked)
	return picked
}

// say puts a remark under a picture's title.
func (p *Picture) say(format string, arguments ...any) {
	p.plot.Title.Text += "\n" + fmt.Sprintf(format, arguments...)
}

// sayGroups says, where layers are drawn in groups, what is seen of them.
func (p *Picture) sayGroups(layers int) {
	if n := neighbours(layers); n > 1 {
		p.say("of %s layers: the lowest and the highest of every %d", grouped(layers), n)
	}
}

// grouped is a whole number with commas between thousands.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// drawable says whether a value is one that a plot can scale; beyond that, sums of values overflow.
func drawable(v float64) bool { return math.Abs(v) < 1e200 }
