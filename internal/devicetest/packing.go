package devicetest

import (
	"avssnative/engine/device"
)

// Units of the operations that walk along sequences: a sequence, and those that continue it.

// A family is a root sequence's length and the lengths of its continuations.
type family struct {
	root     int
	branches []int
}

// rows is how many there are in all.
func (f family) rows() int {
	rows := f.root
	for _, n := range f.branches {
		rows += n
	}
	return rows
}

// A packing is a layout of some families, with the number of each row, which says what it holds.
type packing struct {
	layout device.Layout
	rows   []int
	where  [][]place // a unit, a sequence of it
}

// A place is a sequence of a layout, and how many of its rows, the last ones, are a family's own.
type place struct{ sequence, rows int }

// pack lays families out: each root before its continuations where their number is even, all roots behind all continuations where odd.
// Joined, a continuation becomes a sequence of its own that begins with its root's rows.
func pack(families []family, units []int, joined bool) *packing {
	p := &packing{layout: device.Layout{Start: []int32{0}, Prefix: []int32{}}, where: make([][]place, len(units))}
	for i, unit := range units {
		p.where[i] = make([]place, len(families[unit].branches)+1)
	}
	root := func(i int) { p.add(i, units[i], 0, families[units[i]].root) }
	branches := func(i int) {
		for b, n := range families[units[i]].branches {
			if joined {
				p.lay(units[i], 0, families[units[i]].root)
			}
			p.add(i, units[i], b+1, n)
		}
	}
	if len(units)%2 == 0 {
		for i := range units {
			root(i)
			branches(i)
		}
	} else {
		for i := range units {
			branches(i)
		}
		for i := range units {
			root(i)
		}
	}
	p.layout.Prefix = make([]int32, p.layout.Sequences())
	for _, places := range p.where {
		for s, place := range places {
			p.layout.Prefix[place.sequence] = -1
			if s > 0 && !joined {
				p.layout.Prefix[place.sequence] = int32(places[0].sequence)
			}
		}
	}
	return p
}

// lay puts down rows of a family's sequence (0: the root).
func (p *packing) lay(unit, sequence, n int) {
	for position := range n {
		p.rows = append(p.rows, rowNumber(unit, sequence, position))
	}
}

// add lays rows and closes their sequence.
func (p *packing) add(i, unit, sequence, n int) {
	p.lay(unit, sequence, n)
	p.where[i][sequence] = place{p.layout.Sequences(), n}
	p.layout.Start = append(p.layout.Start, int32(len(p.rows)))
}

func rowNumber(unit, sequence, position int) int { return unit<<24 | sequence<<16 | position }

// gather joins what a result's rows hold, unit by unit.
func (p *packing) gather(lines [][]float64) [][]float64 {
	out := make([][]float64, len(p.where))
	for i, places := range p.where {
		for _, place := range places {
			end := int(p.layout.Start[place.sequence+1])
			for row := end - place.rows; row < end; row++ {
				out[i] = append(out[i], lines[row]...)
			}
		}
	}
	return out
}

// rowsOf lists the numbers of one sequence's rows.
func rowsOf(of []family, unit, sequence int) []int {
	n := of[unit].root
	if sequence > 0 {
		n = of[unit].branches[sequence-1]
	}
	out := make([]int, n)
	for position := range out {
		out[position] = rowNumber(unit, sequence, position)
	}
	return out
}
