package cuda

import (
	"avssnative/engine/device"
)

// groupSums are the sums that a product has taken of the view it wrote (finish.cuh: Summed), 64 bytes for 64 columns of a row.
type groupSums struct {
	first, rows, cols, stride int
	eps                       [device.MaxEps]float32
	block                     *block
}

// ProductSummed is Product that also takes the results' sums, for a Measure with the same thresholds.
func (d *gpu) ProductSummed(dst, x device.Tensor, w device.Matrix, bias device.Tensor, eps []float32) {
	d.do("product", func() error {
		a := arguments{d: d}
		a.want(len(eps) <= device.MaxEps, "%d thresholds, at most %d", len(eps), device.MaxEps)
		to, from, m, shift := a.product(dst, x, w, bias)
		if a.err != nil {
			return a.err
		}
		if err := to.wrote(); err != nil {
			return err
		}
		if d.plain || to.empty() {
			return d.product(to.at(), to.stride, from, m, 0, m.weight.Out, shift.at())
		}
		b, err := d.memory.take(int64(to.rows) * int64(upTo(to.cols, group)) * 64)
		if err != nil {
			return err
		}
		own := thresholds(eps) // by itself: cgo passes on no memory that holds Go pointers
		to.in.sums = &groupSums{first: to.first, rows: to.rows, cols: to.cols, stride: to.stride, eps: own, block: b}
		return with(d, own[:], func(limits uint64) error {
			return d.finished(finish{"_sums", []uint64{uint64(b.at), limits, to.at(), to.ld()}}, from, m, 0, m.weight.Out, shift.at())
		})
	})
}

// thresholds fills up with ones that no magnitude lies below.
func thresholds(eps []float32) (all [device.MaxEps]float32) {
	for i := range all {
		all[i] = -1
		if i < len(eps) {
			all[i] = eps[i]
		}
	}
	return all
}

// summed is where the sums of a tensor's rows lie, 0 where no product has taken them with these thresholds.
func (t *tensor) summed(eps [device.MaxEps]float32) uint64 {
	if t == nil || t.in == nil || t.in.sums == nil {
		return 0
	}
	s := t.in.sums
	row := (t.first - s.first) / max(s.stride, 1)
	if t.cols != s.cols || t.stride != s.stride || t.first != s.first+row*s.stride || row < 0 || row+t.rows > s.rows || eps != s.eps {
		return 0
	}
	return uint64(s.block.at) + 64*uint64(row*upTo(s.cols, group))
}
