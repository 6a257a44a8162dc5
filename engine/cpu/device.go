package cpu

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cpu"
)

func init() { device.Register("cpu", driver{}) }

// driver opens device "cpu": the kernels of kernels/cpu on goroutines.
type driver struct{}

func (driver) Automatic() int { return 0 }

func (driver) List() ([]device.Info, error) {
	d, err := driver{}.Open(0, device.Options{})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return []device.Info{d.Info()}, nil
}

func (driver) Open(index int, o device.Options) (device.Device, error) {
	if index != 0 {
		return nil, fmt.Errorf("cpu:%d: there is one cpu", index)
	}
	if o.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads", o.Threads)
	}
	compute := o.Compute
	switch compute {
	case "", device.ComputeAuto:
		compute = device.ComputeF32
	case device.ComputeF32, device.ComputeBF16, device.ComputeInt8:
	default:
		return nil, fmt.Errorf("cpu: compute %q: not supported; supported: auto, f32, bf16, int8", o.Compute)
	}
	k, err := kernels.Open()
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	threads := o.Workers()
	d := &processor{kernels: k, threads: threads, compute: compute, bf16: compute == device.ComputeBF16, workers: make([]scratch, threads),
		notes: o.Notes}
	if d.team, err = newTeam(k, threads); err != nil {
		return nil, err
	}
	d.memory, d.most = o.Memory, min(largestSpare, o.Memory/32)
	if d.memory == 0 {
		d.memory = machineMemory()
		d.most = min(largestSpare, d.memory/8)
	}
	return d, nil
}

// processor is the device. It computes at once: when an operation returns, it is done.
type processor struct {
	kernels *kernels.Kernels
	threads int
	compute device.Compute
	bf16    bool
	memory  int64
	notes   []string // of how the device was chosen
	err     error

	team     *team
	workers  []scratch      // scratch, one a worker
	packed   []scratch      // packed activations, one a variant of the head
	packedX  tensor         // what packed[0] holds, until another operation than a product has run
	packedAs packing        // and how
	products []product      // put off: products of packedX
	few      []fewProduct   // put off: products of few rows
	chain    rowChain       // put off: operations on rows
	pins     runtime.Pinner // what the arguments of an operation that is done at once point to
	turns    []rotaryTable  // rotary tables in use
	spare    map[int][]*block
	spared   int64
	most     int64 // that may be spare
}

func (d *processor) Info() device.Info {
	notes := slices.Concat(d.notes, d.kernels.Notes)
	switch d.compute {
	case device.ComputeBF16:
		notes = append(notes, bf16Note(d.kernels.ISA))
	case device.ComputeInt8:
		notes = append(notes, int8Note(d.kernels.ISA))
	}
	return device.Info{
		Name: "cpu", Description: processorName(), ISA: d.kernels.ISA.String(), Threads: d.threads, Compute: d.compute, Memory: d.memory,
		Notes: notes,
	}
}

func bf16Note(i kernels.ISA) string {
	switch i {
	case kernels.AVX512BF16, kernels.AMX:
		return "products of bfloat16 operands by the processor's own instructions, summed in float32"
	}
	return "operands of products are rounded to bfloat16 and multiplied as float32: no faster than f32 on this instruction set"
}

func int8Note(i kernels.ISA) string {
	how := "by the processor's own instructions"
	switch i {
	case kernels.AVX2, kernels.AVX512, kernels.NEON:
		how = "by pairs of bytes, as this instruction set has no products of bytes summed in 32 bits"
	case kernels.Scalar, kernels.Go:
		how = "one by one"
	}
	return "products of weights stored in blocks (Q4_0 to Q8_0, Q2_K to Q6_K) with activations rounded to 8 bits in blocks of 32, " + how +
		"; of all other weights as float32"
}

func (d *processor) Close() error {
	d.team.close()
	d.free()
	return nil
}

// free gives back what no tensor holds.
func (d *processor) free() {
	for i := range d.workers {
		d.workers[i].free(d.kernels)
	}
	for i := range d.packed {
		d.packed[i].free(d.kernels)
	}
	for _, blocks := range d.spare {
		for _, b := range blocks {
			b.release()
		}
	}
	d.spare, d.spared = nil, 0
}

// Trim gives back what is kept for later.
func (d *processor) Trim() {
	d.flush()
	d.packedX = tensor{}
	d.free()
}

// Scratch is what operations take beside their tensors: one packed input, scratch of every thread, and what is spare.
func (d *processor) Scratch(rows, cols int) int64 {
	turn := max(mostPacked/(4*max(cols, 1))/mostRowsJob, 1) * mostRowsJob
	packed := 4 * int64(min(rows, turn)+largestPanel) * int64(cols)
	return packed + int64(d.threads)*threadScratch + d.most
}

func (d *processor) Sync() error {
	d.flush()
	err := d.err
	d.err = nil
	return err
}

// fail records the first failure; it sticks until Sync.
func (d *processor) fail(format string, a ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("cpu: "+format, a...)
	}
}

// block is memory outside Go's heap.
type block struct {
	kernels *kernels.Kernels
	data    []float32
}

func (b *block) release() {
	if b.data != nil {
		b.kernels.Release(b.data)
		b.data = nil
	}
}

// scratch is memory that grows to the largest size asked for.
type scratch struct{ data []float32 }

// grow returns at least bytes of memory, nil where there is none.
func (m *scratch) grow(k *kernels.Kernels, bytes int64) unsafe.Pointer {
	if n := (bytes + 3) / 4; n > int64(len(m.data)) {
		m.free(k)
		m.data = k.Allocate(n)
	}
	return kernels.Pointer(m.data)
}

func (m *scratch) free(k *kernels.Kernels) {
	if m.data != nil {
		k.Release(m.data)
		m.data = nil
	}
}

// tensor is rows × cols float32 values, stride apart, that begin at data[0]. block is what Free returns, nil in a view.
type tensor struct {
	data               []float32
	rows, cols, stride int
	device             *processor
	block              *block
	guard              *block // keeps the memory of a view alive
	cleanup            runtime.Cleanup
}

func (t *tensor) Rows() int { return t.rows }
func (t *tensor) Cols() int { return t.cols }

func (t *tensor) Slice(row, n int) device.Tensor {
	if row < 0 || n < 0 || row > t.rows-n {
		t.device.fail("slice: %d rows from row %d on of [%d × %d]", n, row, t.rows, t.cols)
		row, n = 0, 0
	}
	v := &tensor{rows: n, cols: t.cols, stride: t.stride, device: t.device, guard: t.guard}
	if n > 0 && t.cols > 0 {
		v.data = t.data[row*t.stride:]
	}
	return v
}

func (t *tensor) Columns(col, n int) device.Tensor {
	if col < 0 || n < 0 || col > t.cols-n {
		t.device.fail("columns: %d columns from column %d on of [%d × %d]", n, col, t.rows, t.cols)
		col, n = 0, 0
	}
	v := &tensor{rows: t.rows, cols: n, stride: t.stride, device: t.device, guard: t.guard}
	if t.rows > 0 && n > 0 {
		v.data = t.data[col:]
	}
	return v
}

func (t *tensor) Free() {
	if t.block == nil {
		return
	}
	t.device.flush()
	t.device.packedX = tensor{}
	t.cleanup.Stop()
	t.device.keep(t.block)
	t.block, t.data = nil, nil
}

func (t *tensor) row(i int) []float32 {
	if t.cols == 0 {
		return nil
	}
	return t.data[i*t.stride : i*t.stride+t.cols]
}

// arguments describes the tensor to a kernel; none where t is nil.
func (t *tensor) arguments() kernels.Tensor {
	if t == nil {
		return kernels.Tensor{}
	}
	return kernels.TensorOf(t.data, t.rows, t.cols, t.stride)
}

// threadScratch is what a thread works in at most: the panels of a product, the tile of attention. largestPanel are the rows that a packed panel has
// at most.
const threadScratch, largestPanel = 4 << 20, 32

// largestSpare is how many bytes of freed tensors are kept for the next ones: a block's tensors come and go at every layer, and fresh
// memory costs a page fault every 4 KiB.
const largestSpare = 512 << 20

func (d *processor) keep(b *block) {
	bytes := int64(len(b.data)) * 4
	if b.data == nil || d.spared+bytes > d.most {
		b.release()
		return
	}
	if d.spare == nil {
		d.spare = map[int][]*block{}
	}
	d.spare[len(b.data)] = append(d.spare[len(b.data)], b)
	d.spared += bytes
}

func (d *processor) NewTensor(rows, cols int) device.Tensor {
	t := &tensor{rows: rows, cols: cols, stride: cols, device: d}
	if rows < 0 || cols < 0 || cols > 0 && rows > (1<<44)/cols {
		d.fail("new tensor: [%d × %d]", rows, cols)
		t.rows, t.cols = 0, 0
		return t
	}
	n := rows * cols
	if n == 0 {
		return t
	}
	if blocks := d.spare[n]; len(blocks) > 0 {
		t.block = blocks[len(blocks)-1]
		d.spare[n] = blocks[:len(blocks)-1]
		d.spared -= int64(n) * 4
		clear(t.block.data)
	} else if data := d.kernels.Allocate(int64(n)); data != nil {
		t.block = &block{d.kernels, data}
	} else {
		d.fail("tensor of %d × %d: no memory for %d bytes", rows, cols, 4*int64(n))
		t.rows = 0
		return t
	}
	t.data, t.guard = t.block.data, t.block
	t.cleanup = runtime.AddCleanup(t.guard, func(b block) { b.release() }, *t.block)
	return t
}

// of checks that a tensor is this device's.
func (d *processor) of(operation string, t device.Tensor) *tensor {
	if t == nil {
		return nil
	}
	own, ok := t.(*tensor)
	if !ok {
		d.fail("%s: a tensor of another device (%T)", operation, t)
		return &tensor{device: d}
	}
	return own
}

func (d *processor) Upload(dst device.Tensor, row int, src []float32) {
	d.flush()
	d.packedX = tensor{}
	t := d.of("upload", dst)
	if d.err != nil || t.cols == 0 {
		return
	}
	n := len(src) / t.cols
	if len(src)%t.cols != 0 || row < 0 || row+n > t.rows {
		d.fail("upload: %d values into rows %d… of [%d × %d]", len(src), row, t.rows, t.cols)
		return
	}
	for i := range n {
		copy(t.row(row+i), src[i*t.cols:])
	}
}

func (d *processor) Download(dst []float32, src device.Tensor, row int) {
	d.flush()
	t := d.of("download", src)
	if d.err != nil || t.cols == 0 {
		return
	}
	n := len(dst) / t.cols
	if len(dst)%t.cols != 0 || row < 0 || row+n > t.rows {
		d.fail("download: %d values from rows %d… of [%d × %d]", len(dst), row, t.rows, t.cols)
		return
	}
	for i := range n {
		copy(dst[i*t.cols:(i+1)*t.cols], t.row(row+i))
	}
}
