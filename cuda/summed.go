package cuda

import (
	"avssnative/engine/device"
)

// summedView says where the sums lie that a product has taken of the view it wrote (epilogue.cuh: SumsEpilogue).
type summedView struct {
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
			return d.product(storeEpilogue{to.view()}, from, m, 0, m.weight.Out, shift.at())
		}
		b, err := d.memory.take(int64(to.rows) * int64(upTo(to.cols, group)) * 64)
		if err != nil {
			return err
		}
		own := thresholds(eps) // by itself: cgo passes on no memory that holds Go pointers
		to.in.sums = &summedView{first: to.first, rows: to.rows, cols: to.cols, stride: to.stride, eps: own, block: b}
		return fixed(d, own[:], func(limits address[float32]) error {
			return d.product(sumsEpilogue{address[groupSums](b.at), limits, to.view()}, from, m, 0, m.weight.Out, shift.at())
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
func (t *tensor) summed(eps [device.MaxEps]float32) address[groupSums] {
	if t == nil || t.in == nil || t.in.sums == nil {
		return 0
	}
	s := t.in.sums
	row := (t.first - s.first) / max(s.stride, 1)
	if t.cols != s.cols || t.stride != s.stride || t.first != s.first+row*s.stride || row < 0 || row+t.rows > s.rows || eps != s.eps {
		return 0
	}
	return address[groupSums](s.block.at).plus(row * upTo(s.cols, group))
}
