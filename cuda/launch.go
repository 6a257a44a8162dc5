package cuda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sort"
	"strings"
	"time"
	"unsafe"

	kernels "avssnative/kernels/cuda"
)

// A shape is how a kernel is launched: the grid of blocks and a block's threads.
type shape struct {
	blocks  [2]int
	threads [2]int
	shared  int // dynamic shared memory, bytes
}

// grid is a launch of blocks of one row of threads.
func grid(threads, x, y, shared int) shape { return shape{[2]int{x, y}, [2]int{threads, 1}, shared} }

// cells is the shape of the element-wise kernels (Cell in prims.cuh): 256 threads, four columns each, wide as the columns ask.
func cells(rows, cols int) shape {
	wide := 32
	for wide < 256 && wide*4 < cols {
		wide *= 2
	}
	return shape{[2]int{upTo(rows, 256/wide), upTo(cols, 4*wide)}, [2]int{wide, 256 / wide}, 0}
}

// upTo is n / by, rounded up.
func upTo(n, by int) int { return (n + by - 1) / by }

// launch queues a kernel on the compute stream.
func (d *gpu) launch(s shape, c kernelCall) error {
	d.launches++
	return d.launchOn(d.computing, s, c)
}

func (d *gpu) launchOn(on stream, s shape, c kernelCall) error {
	if c.err != nil {
		return c.err
	}
	if s.blocks[0] == 0 || s.blocks[1] == 0 {
		return nil
	}
	if s.blocks[0] > math.MaxInt32 || s.blocks[1] > 65535 {
		return fmt.Errorf("kernel %s: a grid of %d × %d blocks; at most %d × 65535", c.kernel, s.blocks[0], s.blocks[1], math.MaxInt32)
	}
	f, err := d.kernel(c.kernel, c.source, s.shared)
	if err != nil {
		return err
	}
	queue := func() error { return d.queue(on, f, s, c) }
	if d.sync {
		err = d.timed(on, c.kernel, queue)
	} else {
		err = queue()
	}
	if err != nil {
		return fmt.Errorf("kernel %s, %d × %d blocks of %d × %d threads: %w", c.kernel, s.blocks[0], s.blocks[1], s.threads[0], s.threads[1], err)
	}
	return nil
}

// queue hands a call to the driver.
func (d *gpu) queue(on stream, f function, s shape, c kernelCall) error {
	if len(c.maps) == 0 {
		blocks, threads := [3]uint32{uint32(s.blocks[0]), uint32(s.blocks[1]), 1}, [3]uint32{uint32(s.threads[0]), uint32(s.threads[1]), 1}
		return d.drv.launch(f, blocks, threads, uint32(s.shared), on, c.slots)
	}
	parameters := make([]unsafe.Pointer, 0, len(c.maps)+len(c.slots))
	for _, m := range c.maps {
		parameters = append(parameters, m.at())
	}
	for i := range c.slots {
		parameters = append(parameters, unsafe.Pointer(&c.slots[i]))
	}
	return d.hopper.drv.launchParameters(f, uint32(s.blocks[0]), uint32(s.threads[0]), uint32(s.shared), on, parameters)
}

// kernel finds a function once, and raises its limit of shared memory where it needs more than every function may have.
func (d *gpu) kernel(name, source string, shared int) (function, error) {
	d.memory.mu.Lock() // uploads launch kernels too
	defer d.memory.mu.Unlock()
	d.recent = append(d.recent[max(0, len(d.recent)-mostRecent+1):], name)
	if f, known := d.functions[name]; known {
		return f, nil
	}
	m, err := d.module(source)
	if err != nil {
		return 0, err
	}
	f, err := d.drv.function(m, name)
	if err != nil {
		return 0, err
	}
	if most := largestShared[name]; max(most, shared) > freeShared {
		if max(most, shared) > d.card.sharedPerBlock {
			return 0, fmt.Errorf("kernel %s: %d bytes of shared memory, the device has %d", name, max(most, shared), d.card.sharedPerBlock)
		}
		if err := d.drv.allowShared(f, max(most, shared)); err != nil {
			return 0, fmt.Errorf("kernel %s: %w", name, err)
		}
	}
	d.functions[name] = f
	return f, nil
}

// freeShared is the dynamic shared memory that every function may have: 48 KB, less what its own variables take.
const freeShared = 47 << 10

// compiled gives the PTX of a source; tests put other texts there.
var compiled = kernels.PTX

// machineCode gives the machine code of a source, nil where there is none; tests put other code there.
var machineCode = kernels.MachineCode

// module loads the module of a source once. The driver compiles it then: a device that needs few kernels is ready sooner.
func (d *gpu) module(source string) (module, error) {
	if m, known := d.modules[source]; known {
		return m, nil
	}
	forms, err := imagesOf(source, d.card)
	if err != nil {
		return 0, err
	}
	var m module
	for i, image := range forms {
		began := time.Now()
		d.busy.during(fmt.Sprintf("cuda:%d: the driver compiles the kernels", d.index), func() { m, err = d.drv.load(image) })
		if err == nil {
			slog.Debug("cuda: kernels loaded", "device", d.index, "source", source, "compiled", i == len(forms)-1, "took", time.Since(began))
			d.modules[source] = m
			return m, nil
		}
		if i+1 < len(forms) { // made by a newer assembler than the driver knows
			slog.Debug("cuda: the machine code is refused, the driver compiles the kernels", "device", d.index, "source", source, "error", err)
		}
	}
	return 0, fmt.Errorf("kernels of %s: %w", source, err)
}

// imagesOf gives the forms in which a source can be loaded on a GPU: machine code, where the program holds some, and last the PTX, which the
// driver compiles.
func imagesOf(source string, c card) ([]string, error) {
	ptx, err := compiled(source)
	if err != nil {
		return nil, err
	}
	code, err := machineCode(source, c.major, c.minor)
	if err != nil {
		return nil, err
	}
	if code == nil {
		return []string{ptx}, nil
	}
	return []string{string(code), ptx}, nil
}

const mostRecent = 5

// withRecent adds to a failure of a kernel what may have failed: the driver tells of it some calls later, whichever comes next.
func (d *gpu) withRecent(err error) error {
	var s status
	if d.sync || !errors.As(err, &s) || s.code < statusKernelFirst || s.code > statusKernelLast {
		return err
	}
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	hint := "AVSSNATIVE_CUDA_SYNC=1 tells which one fails"
	if slices.ContainsFunc(d.recent, func(kernel string) bool { _, is := hopperKernels[kernel]; return is }) {
		hint += ", AVSSNATIVE_CUDA_HOPPER=off does without wgmma"
	}
	return fmt.Errorf("%w; the kernels launched last: %s; %s", err, strings.Join(d.recent, ", "), hint)
}

// largestShared is the most dynamic shared memory that kernels with a variable amount ask for, in bytes.
var largestShared = map[string]int{
	"attention_f32_256": sharedAttentionF32(256, 256),
	"attention_f32_128": sharedAttentionF32(256, 128),
	"attention_f32_64":  sharedAttentionF32(256, 64),
}

// timing is what the launches of one kernel took.
type timing struct {
	launches int
	took     time.Duration
}

func (d *gpu) timed(on stream, name string, call func() error) error {
	from, err := d.drv.newEvent(true)
	if err != nil {
		return err
	}
	defer d.drv.freeEvent(from)
	to, err := d.drv.newEvent(true)
	if err != nil {
		return err
	}
	defer d.drv.freeEvent(to)
	if err := d.drv.record(from, on); err != nil {
		return err
	}
	if err := call(); err != nil {
		return err
	}
	if err := d.drv.record(to, on); err != nil {
		return err
	}
	if err := d.drv.waitStream(on); err != nil {
		return err
	}
	ms, err := d.drv.elapsed(from, to)
	if err != nil {
		return err
	}
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	t := d.profile[name]
	if t == nil {
		t = &timing{}
		d.profile[name] = t
	}
	t.launches++
	t.took += time.Duration(float64(ms) * float64(time.Millisecond))
	return nil
}

// report logs where the time went, the costliest kernel first.
func (d *gpu) report() {
	if len(d.profile) == 0 || !slog.Default().Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	names := make([]string, 0, len(d.profile))
	for name := range d.profile {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool { return d.profile[names[i]].took > d.profile[names[j]].took })
	for _, name := range names {
		t := d.profile[name]
		slog.Debug("cuda: kernel", "device", d.index, "kernel", name, "launches", t.launches, "took", t.took)
	}
}

// upload queues a copy of values to a new block, which the caller gives back after the launches that read it.
func upload[T any](d *gpu, values []T) (*block, error) {
	var one T
	bytes := int64(len(values)) * int64(unsafe.Sizeof(one))
	b, err := d.memory.take(bytes)
	if err != nil || bytes == 0 {
		return b, err
	}
	if err := d.staging.send(b.at, bytesOf(values)); err != nil {
		d.release(&err, b)
		return nil, err
	}
	return b, nil
}

// with uploads values, passes where they lie to f, and gives the memory back. Empty values are passed as address 0.
func with[T any](d *gpu, values []T, f func(at address[T]) error) (err error) {
	if len(values) == 0 {
		return f(0)
	}
	b, err := upload(d, values)
	if err != nil {
		return err
	}
	defer d.release(&err, b)
	return f(address[T](b.at))
}

// release gives blocks back behind what was queued on the compute stream, whether or not that went well; err keeps the first failure.
func (d *gpu) release(err *error, blocks ...*block) {
	for _, b := range blocks {
		if b == nil {
			continue
		}
		if failed := d.memory.give(b, d.computing); *err == nil {
			*err = failed
		}
	}
}
