package cpu

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	kernels "avssnative/kernels/cpu"
)

// How work is shared: an operation is a number of jobs, taken in portions from a counter by as many goroutines as the device has threads,
// one foreign call a portion. Nobody spins for longer than a moment (team.go): a goroutine that finds no portion left ends. Work of
// less than a portion is done where it is asked for. Which goroutine does a job never changes what the job computes. What may wait for
// company waits: operations on rows until they can be done row by row together (chain.go), products until all of one input are known
// (product.go).

// portionFlops is the work of a portion: about 100 µs of a product.
const portionFlops = 12e6

// portionOf is how many jobs of the given work (in operations of a product's speed) make a portion.
func portionOf(perJob float64) int64 {
	if perJob <= 0 {
		return 1 << 40
	}
	return int64(portionFlops/perJob) + 1
}

// flush does what was put off.
func (d *processor) flush() {
	d.runChain()
	d.runProducts()
}

// do runs jobs 0..jobs of an operation, portion at a time, after all that was put off, and lets go of what its arguments pinned.
func (d *processor) do(operation kernels.Operation, a kernels.Arguments, jobs, portion int64) {
	d.flush()
	d.packedX = tensor{}
	defer d.pins.Unpin()
	if jobs <= 0 || d.err != nil {
		return
	}
	d.runItems((jobs+portion-1)/portion, []item{{operation, a, jobs, portion, portion, 1}})
}

// runItems does operations with at most as many workers as there are portions.
func (d *processor) runItems(portions int64, items []item) {
	scratch := int64(0)
	for _, i := range items {
		scratch = max(scratch, d.kernels.Scratch(i.operation, i.arguments))
	}
	memory := d.scratchOf(portions, scratch)
	switch {
	case len(memory) == 1:
		for _, i := range items {
			d.kernels.Run(i.operation, i.arguments, 0, i.jobs, memory[0])
		}
	case len(memory) > 1:
		d.team.run(len(memory), items, memory)
	}
}

// portions calls run for the portions 0 to n, each once, with a worker's scratch.
func (d *processor) portions(n, bytes int64, run func(i int64, scratch unsafe.Pointer)) {
	var next atomic.Int64
	d.share(n, bytes, func(scratch unsafe.Pointer) {
		for i := next.Add(1) - 1; i < n; i = next.Add(1) - 1 {
			run(i, scratch)
		}
	})
}

// share lets at most as many workers work as there are portions, each with scratch of its own, and waits for them.
func (d *processor) share(portions, bytes int64, work func(scratch unsafe.Pointer)) {
	if memory := d.scratchOf(portions, bytes); len(memory) > 0 {
		d.team.share(len(memory), func(worker int) { work(memory[worker]) })
	}
}

// scratchOf gives as many workers as there is work for, and no more than there are, their scratch. Where there is no memory it fails.
func (d *processor) scratchOf(portions, bytes int64) []unsafe.Pointer {
	memory := make([]unsafe.Pointer, int(min(int64(d.threads), portions)))
	for i := range memory {
		if bytes == 0 {
			break
		}
		if memory[i] = d.workers[i].grow(d.kernels, bytes); memory[i] == nil {
			d.fail("no memory for %d bytes of scratch", bytes)
			return nil
		}
	}
	return memory
}

// pinned is the address of a slice that an operation's arguments hold: d.pins where it is done at once, d.chain.pins where it waits.
func pinned[T any](p *runtime.Pinner, s []T) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	p.Pin(&s[0])
	return kernels.Pointer(s)
}

// vector is the address of a [1 × n] tensor's values; nil where there is none.
func (t *tensor) vector() unsafe.Pointer {
	if t == nil {
		return nil
	}
	return kernels.Pointer(t.data)
}

// rowPortion is a portion of rows of an operation that takes about `cost` operations a value.
func rowPortion(cols int, cost float64) int64 { return portionOf(cost * float64(cols)) }
