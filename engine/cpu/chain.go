package cpu

import (
	"runtime"
	"unsafe"

	kernels "avssnative/kernels/cpu"
)

// Operations that work row by row wait for one another, and a few rows are taken through all of them while they are hot: the residual
// addition, the statistics of what it gives, the norm behind it and the packing for the next product are one reading of memory, and one
// meeting of the threads. Every kernel is the one that runs alone, so the bits are the same (TestPutOff).

// hotBytes is how much of each tensor is taken through a chain at a time: a few tensors of it fit the second cache.
const hotBytes = 64 << 10

// rowChain is a run of such operations over the same rows. Its units are grain rows, or the blocks, which nothing cuts.
type rowChain struct {
	steps       []rowStep
	rows, width int // width: the widest tensor's columns
	grain       int
	blocks      []int64 // first row and end of each unit; nil: grain says
	cost        float64 // a row's, in operations of a product's speed
	each, whole []*tensor
	pins        runtime.Pinner
}

// rowStep is one operation; its jobs are rows, or units.
type rowStep struct {
	operation kernels.Operation
	arguments kernels.Arguments
	units     bool
}

// rowwise makes ready for an operation whose row i touches row i of some tensors and reads others as a whole: what was put off and cannot
// be done row by row together with it is done now. Then pin what its arguments hold to d.chain.pins, and step.
func (d *processor) rowwise(each []*tensor, whole ...*tensor) {
	d.runProducts()
	c := &d.chain
	if len(c.steps) > 0 && !c.admits(each, whole) {
		d.runChain()
	}
	c.grain = 1
	for _, t := range each {
		if t != nil {
			c.each, c.rows, c.width = append(c.each, t), t.rows, max(c.width, t.cols)
		}
	}
	for _, t := range whole {
		if t != nil {
			c.whole = append(c.whole, t)
		}
	}
}

// admits says whether the same memory is the same row everywhere, and what is read as a whole is written nowhere.
func (c *rowChain) admits(each, whole []*tensor) bool {
	for _, t := range each {
		if t == nil {
			continue
		}
		if t.rows != c.rows {
			return false
		}
		for _, other := range c.each {
			if t.guard == other.guard && (t.stride != other.stride || t.firstRow() != other.firstRow()) {
				return false
			}
		}
		for _, other := range c.whole {
			if t.guard == other.guard {
				return false
			}
		}
	}
	for _, t := range whole {
		for _, other := range c.each {
			if t != nil && t.guard == other.guard {
				return false
			}
		}
	}
	return true
}

// firstRow is the row of its memory in which a tensor begins.
func (t *tensor) firstRow() int {
	return (cap(t.guard.data) - cap(t.data)) / t.stride
}

// step appends an operation that takes about cost operations a row.
func (d *processor) step(operation kernels.Operation, a kernels.Arguments, cost float64) {
	d.chain.steps = append(d.chain.steps, rowStep{operation: operation, arguments: a})
	d.chain.cost += cost
}

// runChain does the chain.
func (d *processor) runChain() {
	c := &d.chain
	if len(c.steps) == 0 {
		return
	}
	d.packedX = tensor{}
	units := int64((c.rows + c.grain - 1) / c.grain)
	if c.blocks != nil {
		units = int64(len(c.blocks) / 2)
	}
	portion := portionOf(c.cost * float64(c.rows) / float64(units))
	hot := portion
	if len(c.steps) > 1 {
		hot = max(1, hotBytes/4/int64(c.width)*units/int64(c.rows))
	}
	d.portions((units+portion-1)/portion, 0, func(i int64, _ unsafe.Pointer) {
		for from, end := i*portion, min((i+1)*portion, units); from < end; from += hot {
			to := min(from+hot, end)
			for _, s := range c.steps {
				if s.units {
					d.kernels.Run(s.operation, s.arguments, from, to, nil)
				} else {
					d.kernels.Run(s.operation, s.arguments, c.row(from), c.row(to), nil)
				}
			}
		}
	})
	c.pins.Unpin()
	clear(c.steps)
	clear(c.each)
	clear(c.whole)
	*c = rowChain{steps: c.steps[:0], each: c.each[:0], whole: c.whole[:0]}
}

// row is the first row of a unit.
func (c *rowChain) row(unit int64) int64 {
	if c.blocks == nil {
		return min(unit*int64(c.grain), int64(c.rows))
	}
	if 2*unit == int64(len(c.blocks)) {
		return int64(c.rows)
	}
	return c.blocks[2*unit]
}
