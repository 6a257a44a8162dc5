package avss

// How moments lie in a saved state.

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

func (m *moments) write(w *writer) {
	if m.eps == nil {
		w.uvarint(0)
		return
	}
	w.uvarint(uint64(len(m.eps)) + 1)
	for _, e := range m.eps {
		w.float32(e)
	}
	w.float32(m.relative)
	for l := range m.cells {
		for site := range m.cells[l] {
			m.cells[l][site].write(w, len(m.eps))
		}
	}
}

func (m *moments) read(r *reader, layers int) {
	*m = moments{}
	count := r.length("thresholds", 1, device.MaxEps+1)
	if count == 0 {
		if r.err == nil && layers > 0 {
			r.fail("layers without thresholds")
		}
		return
	}
	m.eps = make([]float32, count-1)
	for i := range m.eps {
		m.eps[i] = r.float32()
	}
	m.relative = r.float32()
	for _, e := range append([]float32{m.relative}, m.eps...) {
		if r.err == nil && !(e >= 0) {
			r.fail(fmt.Sprintf("a threshold is %v", e))
		}
	}
	for l := 0; l < layers && r.err == nil; l++ {
		m.cells = append(m.cells, [device.Sites]siteCells{})
		for site := range m.cells[l] {
			m.cells[l][site].read(r, len(m.eps))
		}
	}
}

func (c *siteCells) write(w *writer, eps int) {
	var mask uint32
	for i := range c.buckets {
		if c.buckets[i].n > 0 {
			mask |= 1 << i
		}
	}
	w.uint32(mask)
	if mask == 0 {
		return
	}
	for i := range c.buckets {
		if mask>>i&1 == 1 {
			c.buckets[i].write(w, eps)
		}
	}
	for _, s := range []*Sum{&c.sum3, &c.sum4, &c.sumAbs} {
		s.write(w)
	}
	low, high := math.Inf(1), math.Inf(-1)
	if c.numbers {
		low, high = c.min, c.max
	}
	w.float(low)
	w.float(high)
	w.uvarint(uint64(len(c.pooled)))
	last := int64(-1)
	for _, p := range c.pooled {
		w.count(p.sequence - last)
		last = p.sequence
		w.float(p.variance)
		w.count(p.n)
		for i := range eps {
			w.count(p.below[i])
		}
	}
}

func (c *siteCells) read(r *reader, eps int) {
	mask := r.uint32()
	if mask == 0 || r.err != nil {
		return
	}
	c.buckets = make([]momentCell, Buckets)
	for i := range c.buckets {
		if mask>>i&1 == 1 {
			c.buckets[i].read(r, eps)
		}
	}
	for _, s := range []*Sum{&c.sum3, &c.sum4, &c.sumAbs} {
		s.read(r)
	}
	c.min, c.max = r.float(), r.float()
	if c.numbers = c.min <= c.max; !c.numbers {
		if !math.IsInf(c.min, 1) || !math.IsInf(c.max, -1) {
			r.fail(fmt.Sprintf("values from %v to %v", c.min, c.max))
		}
		c.min, c.max = 0, 0
	}
	last := int64(-1)
	for range r.length("pooled variances", 10+eps, math.MaxInt32) {
		step := r.count()
		p := pooled{sequence: last + step, variance: r.float(), n: r.count()}
		for i := range eps {
			p.below[i] = r.count()
			if p.below[i] > p.n {
				r.fail(fmt.Sprintf("%d of %d values lie below a threshold", p.below[i], p.n))
			}
		}
		if r.err == nil && (step < 1 || step > maxCount-max(last, 0) || p.n < 1) {
			r.fail(fmt.Sprintf("%d values in sequence %d", p.n, p.sequence))
		}
		if r.err != nil {
			return
		}
		last = p.sequence
		c.pooled = append(c.pooled, p)
	}
}

func (b *momentCell) write(w *writer, eps int) {
	w.count(b.n)
	if b.relativeBelow < 0 {
		w.count(b.n + 1) // more than there can be: not counted
	} else {
		w.count(b.relativeBelow)
	}
	for i := range eps {
		w.count(b.below[i])
	}
	for _, s := range b.sums() {
		s.write(w)
	}
}

func (b *momentCell) sums() [4]*Sum {
	return [4]*Sum{&b.sum, &b.sum2, &b.relativeSum, &b.relativeSquares}
}

func (b *momentCell) read(r *reader, eps int) {
	b.n, b.relativeBelow = r.count(), r.count()
	if r.err == nil && (b.n == 0 || b.relativeBelow > b.n+1) {
		r.fail(fmt.Sprintf("%d of %d values lie near zero", b.relativeBelow, b.n))
	}
	if b.relativeBelow == b.n+1 {
		b.relativeBelow = -1
	}
	for i := range eps {
		if b.below[i] = r.count(); b.below[i] > b.n {
			r.fail(fmt.Sprintf("%d of %d values lie below a threshold", b.below[i], b.n))
		}
	}
	for _, s := range b.sums() {
		s.read(r)
	}
}
