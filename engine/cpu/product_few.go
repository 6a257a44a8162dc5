package cpu

import (
	"unsafe"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cpu"
)

// Products of few rows (device.FewRows). Those that read what has been computed wait for one another, so that the threads meet once for all
// products of one input; their outputs are shared out in portions that become smaller towards the end.

// fewValue and fewRow are what a value of a weight costs when it is read, and with each row that it meets, in operations of a product's speed;
// fewPortion is the least that is worth a meeting of threads that look out for one: about 10 µs.
const fewValue, fewRow, fewPortion = 10, 3, 1.2e6

// fewProduct is one that waits.
type fewProduct struct {
	operation  kernels.Operation
	args       *kernels.FewArguments
	reads      *block // memory of x
	writes     *block // memory of dst
	bias       *block // memory of the bias, or nil
	outputs    int64
	costOutput float64
}

func (d *processor) ProductFew(dst, x device.Tensor, w device.Matrix, bias device.Tensor) {
	to, from, weight, shift, ready := d.productOperands(dst, x, w, bias)
	if !ready {
		return
	}
	if weight.weight.Transposed {
		d.Product(dst, x, w, bias) // an output's weights are no run of the file
		return
	}
	p := fewProduct{operation: kernels.MultiplyFew, reads: from.guard, writes: to.guard, outputs: int64(to.cols)}
	p.args = &kernels.FewArguments{Dst: to.arguments(), X: from.arguments(), W: weight.args, Bias: shift.vector()}
	p.costOutput = float64(from.cols) * (fewValue + fewRow*float64(from.rows))
	if weight.precision == kernels.AsInt8 {
		p.operation, p.costOutput = kernels.MultiplyFewInt8, p.costOutput/2
		if p.args.Quantised = d.quantise(from); p.args.Quantised == nil {
			return
		}
	} else {
		if d.bf16 {
			p.args.BF16 = 1
		}
		d.runChain()
		if len(d.products) > 0 {
			d.runProducts()
		}
	}
	if shift != nil {
		p.bias = shift.guard
	}
	for i := range d.few {
		other := &d.few[i]
		if other.writes == p.reads || other.writes == p.writes || other.writes == p.bias || other.reads == p.writes || other.bias == p.writes {
			d.runFew()
			break
		}
	}
	if to.guard == d.packedX.guard {
		d.packedX = tensor{}
	}
	if len(d.few) == mostItems {
		d.runFew()
	}
	d.few = append(d.few, p)
}

// runFew does the products of few rows that wait.
func (d *processor) runFew() {
	products := d.few
	if len(products) == 0 {
		return
	}
	var total int64
	cost := 0.0
	items := make([]item, len(products), mostItems)
	for i, p := range products {
		total += p.outputs
		cost += p.costOutput * float64(p.outputs)
		items[i] = item{p.operation, p.args, p.outputs, max(int64(fewPortion/p.costOutput), 1), p.outputs, 1}
	}
	d.runItems(min(total, int64(cost/fewPortion)+1), items)
	clear(products)
	d.few = products[:0]
}

// quantise gives the rows of x as 8-bit integers: those of the last call where it was the same x, else at the end of the chain of operations that
// made them.
func (d *processor) quantise(x *tensor) unsafe.Pointer {
	if len(d.chain.steps) == 0 && d.packedAs == quantisedRows && d.packedX.sameAs(x) {
		return kernels.Pointer(d.packed[0].data)
	}
	d.runProducts()
	args := kernels.QuantiseArguments{X: x.arguments()}
	bytes := int64(x.rows) * int64((x.cols+255)/256) * kernels.QuantisedBytes
	if args.Quantised = d.packedMemory(0, bytes); args.Quantised == nil {
		return nil
	}
	d.rowwise([]*tensor{x})
	d.step(kernels.Quantise, &args, 60*float64(x.cols))
	d.runChain()
	d.packedX, d.packedAs = *x, quantisedRows
	return args.Quantised
}
