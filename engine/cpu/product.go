package cpu

import (
	"unsafe"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cpu"
)

// Products of one input wait for one another: its rows are packed once, in the chain of operations that ends in them, and the threads meet
// once, after all.

// mostPacked is how many bytes of packed activations a product keeps; more rows are multiplied in several turns, and the weights packed
// once a turn.
const mostPacked = 64 << 20

// mostRowsJob is how many rows a job takes: as many as keep their K block in the second cache; half as many on AMX, which reads it ten times as
// fast and its sums with it.
const mostRowsJob = 1008

// mostPanels is how many panels of a weight are multiplied together: while a K block of the rows lies in the second cache.
const mostPanels = 4

// shortestFlops is the work of the last jobs: threads end together to half of that.
const shortestFlops = 5e6

// packing is how activations are packed: in panels of rows for products of many, in a precision; or as quantised rows for those of few.
type packing int32

const quantisedRows packing = -1

// product is one that waits.
type product struct {
	args      *kernels.ProductArguments
	dst, bias *tensor
	weight    *matrix
	jobs      int64   // panels of the weight × cuts of the rows
	cuts      int64   // of a panel
	flops     float64 // of a job
}

// productOperands takes what a product is given; ready where there is something to do.
func (d *processor) productOperands(dst, x device.Tensor, w device.Matrix, bias device.Tensor) (
	to, from *tensor, weight *matrix, shift *tensor, ready bool,
) {
	to, from, weight, shift = d.of("product", dst), d.of("product", x), d.matrix("product", w), d.of("product", bias)
	ready = d.err == nil && d.want(to.rows == from.rows && from.cols == weight.In() && to.cols == weight.Out(),
		"product: %s: [%d × %d] = [%d × %d] · [%d × %d]ᵀ", weight.weight.Name, to.rows, to.cols, from.rows, from.cols, weight.Out(), weight.In()) &&
		d.want(shift == nil || shift.rows == 1 && shift.cols == to.cols, "product: %s: bias for %d outputs", weight.weight.Name, to.cols) &&
		to.rows > 0 && to.cols > 0
	return to, from, weight, shift, ready
}

func (d *processor) Product(dst, x device.Tensor, w device.Matrix, bias device.Tensor) {
	to, from, weight, shift, ready := d.productOperands(dst, x, w, bias)
	if !ready {
		return
	}
	d.runFew()
	turn := max(mostPacked/(4*max(from.cols, 1))/mostRowsJob, 1) * mostRowsJob
	for row := 0; row < from.rows && d.err == nil; row += turn {
		n := min(turn, from.rows-row)
		d.multiply(to.Slice(row, n).(*tensor), from.Slice(row, n).(*tensor), weight, shift)
	}
}

// multiply adds a product to those that wait, whose input has been packed, or packs its own.
func (d *processor) multiply(to, from *tensor, weight *matrix, bias *tensor) {
	p := product{dst: to, bias: bias, weight: weight}
	p.args = &kernels.ProductArguments{
		Dst: to.arguments(), X: from.arguments(), W: weight.args, Bias: bias.vector(), PanelsJob: mostPanels, Precision: weight.precision,
	}
	if as := packing(weight.precision); len(d.chain.steps) > 0 || d.packedAs != as || !d.packedX.sameAs(from) {
		d.runProducts()
		if p.args.Packed = d.pack(0, p.args, from); p.args.Packed == nil {
			return
		}
		d.packedX, d.packedAs = *from, as
	} else {
		p.args.Packed = kernels.Pointer(d.packed[0].data)
	}
	for i := range d.products {
		if other := &d.products[i]; other.dst.guard == to.guard || bias != nil && other.dst.guard == bias.guard || other.bias != nil && other.bias.guard == to.guard {
			d.runProducts()
			break
		}
	}
	if to.guard == d.packedX.guard {
		d.packedX = tensor{}
	}
	high := d.kernels.PanelRows(weight.precision)
	rows, panels := int64(from.rows), int64((weight.Out()+kernels.Panel-1)/kernels.Panel)
	p.args.RowsJob, p.args.RowsCut = cutRows(rows, high, int64(from.cols))
	p.cuts = (p.args.RowsJob + p.args.RowsCut - 1) / p.args.RowsCut
	p.jobs = panels * p.cuts * ((rows + p.args.RowsJob - 1) / p.args.RowsJob)
	p.flops = 2 * float64(rows) * float64(from.cols) * float64(panels*kernels.Panel) / float64(p.jobs)
	if len(d.products) == mostItems {
		d.runProducts()
	}
	d.products = append(d.products, p)
	if to.guard == from.guard || bias != nil && bias.guard == to.guard {
		d.runProducts()
	}
}

// sameAs says whether two views are one.
func (t *tensor) sameAs(other *tensor) bool {
	return t.guard == other.guard && t.rows == other.rows && t.cols == other.cols && t.stride == other.stride &&
		unsafe.SliceData(t.data) == unsafe.SliceData(other.data)
}

// cutRows chooses the rows of a block, which pack the weights once, and of a job, both multiples of high.
func cutRows(rows, high, inner int64) (block, cut int64) {
	most := int64(mostRowsJob)
	if high == 32 {
		most /= 2
	}
	block = min(most/high*high, (rows+high-1)/high*high)
	return block, min(block, max(shortestFlops/(2*kernels.Panel*max(inner, 1)), high)/high*high)
}

// runProducts does the products that wait. A portion is several panels at first, and part of the rows of one at the end, so that the threads end together.
func (d *processor) runProducts() {
	d.runFew()
	products := d.products
	if len(products) == 0 {
		return
	}
	var total int64
	var flops float64
	items := make([]item, len(products), mostItems)
	for i, p := range products {
		total += p.jobs
		flops += p.flops * float64(p.jobs)
		items[i] = item{kernels.Multiply, p.args, p.jobs, max(int64(shortestFlops/p.flops), 1), mostPanels * p.cuts, p.cuts}
	}
	d.runItems(min(total, int64(flops/portionFlops)+1), items)
	clear(products)
	d.products = products[:0]
}

// pack packs x into the device's memory number i, in the chain of the operations on its rows where there is one.
func (d *processor) pack(i int, args *kernels.ProductArguments, x *tensor) unsafe.Pointer {
	if args.Packed = d.packedMemory(i, d.kernels.PackedBytes(args.X.Rows, args.X.Cols, args.Precision)); args.Packed == nil {
		return nil
	}
	d.rowwise([]*tensor{x})
	own := *args
	d.chain.grain = int(d.kernels.PanelRows(args.Precision))
	d.chain.steps = append(d.chain.steps, rowStep{kernels.Pack, &own, true})
	d.chain.cost += 60 * float64(x.cols)
	d.runChain()
	return args.Packed
}

// packedMemory is memory number i for packed activations; nil where there is none, which is a failure.
func (d *processor) packedMemory(i int, bytes int64) unsafe.Pointer {
	for len(d.packed) <= i {
		d.packed = append(d.packed, scratch{})
	}
	memory := d.packed[i].grow(d.kernels, bytes)
	if memory == nil {
		d.fail("no memory for %d bytes of packed activations", bytes)
	}
	return memory
}
