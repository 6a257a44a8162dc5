package engine

import (
	"unsafe"

	"avssnative/kernels/cpu"
)

// mostPacked is how many bytes of packed activations a product keeps; more rows are multiplied in several turns, and the weights packed
// once a turn.
const mostPacked = 64 << 20

// mostRowsJob is how many rows a job takes: as many as keep their K block in the second cache; half as many on AMX, which reads it ten times as
// fast and its sums with it.
const mostRowsJob = 1008

func (d *cpuDevice) Product(dst, x Tensor, w Matrix, bias Tensor) {
	to, from, weight, shift := d.of("product", dst), d.of("product", x), d.matrix("product", w), d.of("product", bias)
	if d.err != nil || !d.want(to.rows == from.rows && from.cols == weight.In() && to.cols == weight.Out(),
		"product: %s: [%d × %d] = [%d × %d] · [%d × %d]ᵀ", weight.weight.Name, to.rows, to.cols, from.rows, from.cols, weight.Out(), weight.In()) ||
		!d.want(shift == nil || shift.rows == 1 && shift.cols == to.cols, "product: %s: bias for %d outputs", weight.weight.Name, to.cols) ||
		to.rows == 0 || to.cols == 0 {
		return
	}
	turn := max(mostPacked/(4*max(from.cols, 1))/mostRowsJob, 1) * mostRowsJob
	for row := 0; row < from.rows && d.err == nil; row += turn {
		n := min(turn, from.rows-row)
		d.multiply(to.Slice(row, n).(*cpuTensor), from.Slice(row, n).(*cpuTensor), weight, shift)
	}
}

// multiply computes a product whose activations are packed at once.
func (d *cpuDevice) multiply(to, from *cpuTensor, weight *cpuMatrix, bias *cpuTensor) {
	args := cpu.ProductArguments{Dst: to.arguments(), X: from.arguments(), W: weight.args, Bias: bias.vector()}
	if d.bf16 {
		args.BF16 = 1
	}
	packed := d.pack(0, &args)
	if packed == nil {
		return
	}
	args.Packed = packed
	high := d.kernels.PanelRows(d.bf16)
	rows, panels := int64(from.rows), int64((weight.Out()+cpu.Panel-1)/cpu.Panel)
	flops := 2 * float64(rows) * float64(from.cols) * float64(panels*cpu.Panel)
	args.RowsJob, args.PanelsJob = cutProduct(rows, high, panels, flops, d.threads)
	jobs := (panels + args.PanelsJob - 1) / args.PanelsJob * ((rows + args.RowsJob - 1) / args.RowsJob)
	portion := int64(1)
	if flops <= portionFlops {
		portion = jobs
	}
	d.do(cpu.Multiply, &args, jobs, portion)
}

// cutProduct chooses a job's rows (a multiple of high) and panels: columns are cut first, because each cut of the rows packs the weights
// once more, and into about six jobs a thread, so that threads end together.
func cutProduct(rows, high, panels int64, flops float64, threads int) (rowsJob, panelsJob int64) {
	whole := (rows + high - 1) / high * high
	most := int64(mostRowsJob)
	if high == 32 {
		most /= 2
	}
	rowsJob = min(whole, max(most/high*high, high))
	wanted := min(6*int64(threads), int64(flops/portionFlops)+1)
	if threads == 1 || wanted <= 1 {
		return rowsJob, max(1, min(panels, 4))
	}
	panelsJob = max(1, min(panels/wanted, 4))
	if across := (panels + panelsJob - 1) / panelsJob; across*((rows+rowsJob-1)/rowsJob) < min(wanted, 2*int64(threads)) {
		cuts := (min(wanted, 2*int64(threads)) + across - 1) / across
		rowsJob = min(rowsJob, ((rows+cuts-1)/cuts+high-1)/high*high)
	}
	return rowsJob, panelsJob
}

// pack packs x into the device's memory number i.
func (d *cpuDevice) pack(i int, args *cpu.ProductArguments) unsafe.Pointer {
	for len(d.packed) <= i {
		d.packed = append(d.packed, cpuMemory{})
	}
	bytes := d.kernels.PackedBytes(args.X.Rows, args.X.Cols, d.bf16)
	if args.Packed = d.packed[i].grow(d.kernels, bytes); args.Packed == nil {
		d.fail("no memory for %d bytes of packed activations", bytes)
		return nil
	}
	high := d.kernels.PanelRows(d.bf16)
	d.do(cpu.Pack, args, (args.X.Rows+high-1)/high, cpuPortion(60*float64(high*args.X.Cols)))
	return args.Packed
}
