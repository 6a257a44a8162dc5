package cuda

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync"

	"avssnative/engine/device"
	"avssnative/failure"
)

// leastDriver is the oldest driver that loads PTX 7.0: CUDA 11.0.
const leastDriver = 11000

func init() { device.Register("cuda", registration{}) }

type registration struct{}

// Automatic puts a GPU before every processor.
func (registration) Automatic() int { return 10 }

// List names the GPUs; an error says why there is none.
func (registration) List() ([]device.Info, error) {
	d, n, err := cards()
	if err != nil {
		return nil, err
	}
	infos := make([]device.Info, 0, n)
	for i := range n {
		c, err := d.card(i)
		if err != nil {
			return nil, err
		}
		infos = append(infos, c.info(i, device.ComputeBF16))
	}
	return infos, nil
}

func cards() (driver, int, error) {
	d, err := openDriver()
	if err != nil {
		return nil, 0, err
	}
	n, err := usable(d)
	return d, n, err
}

// usable counts a driver's GPUs; the error says why there is none, or that the driver is too old.
func usable(d driver) (int, error) {
	version, err := d.version()
	if err != nil {
		return 0, err
	}
	if version < leastDriver {
		return 0, tooOld("it speaks CUDA %d.%d, want at least %d.%d", version/1000, version%1000/10, leastDriver/1000, leastDriver%1000/10)
	}
	n, err := d.count()
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, failure.NotFound.Errorf("cuda: no device: the driver finds no GPU")
	}
	return n, nil
}

// tooOld is the error of a driver that this device cannot use.
func tooOld(format string, values ...any) error {
	return device.Unsupported{Reason: "cuda: driver too old: " + fmt.Sprintf(format, values...)}
}

func (c card) info(index int, compute device.Compute) device.Info {
	return device.Info{
		Name: fmt.Sprintf("cuda:%d", index), Description: c.name, ISA: fmt.Sprintf("sm_%d%d", c.major, c.minor),
		Compute: compute, Memory: c.memory, Notes: []string{"driver interface: " + driverName},
	}
}

// Open opens one GPU. It is refused where it is too old, where its memory does not suffice for a start, or where its self-test fails.
func (registration) Open(index int, o device.Options) (device.Device, error) {
	drv, err := openDriver()
	if err != nil {
		return nil, err
	}
	return openOn(drv, index, o)
}

func openOn(drv driver, index int, o device.Options) (device.Device, error) {
	d, err := described(drv, index, o)
	if err != nil {
		return nil, err
	}
	// The trial comes first: a GPU may be one that a single process has at a time.
	var trial verdict
	var hopper bool
	d.busy.during(fmt.Sprintf("cuda:%d: trying the kernels for this GPU", index), func() {
		trial, hopper, d.hopperNote = hopperOn(drv, index, d.card, d.compute)
	})
	if err := d.begin(o.Memory); err != nil {
		return nil, err
	}
	if hopper {
		d.useHopper(trial)
	}
	return d, nil
}

// described checks that a GPU can be had, and holds nothing of it yet.
func described(drv driver, index int, o device.Options) (*gpu, error) {
	compute := o.Compute
	switch compute {
	case "", device.ComputeAuto:
		compute = device.ComputeBF16
	case device.ComputeBF16, device.ComputeF32:
	default:
		return nil, failure.Unsupported.Errorf("cuda: cuda:%d: compute %q: not offered; offered: bf16, f32", index, compute)
	}
	n, err := usable(drv)
	if err != nil {
		return nil, err
	}
	if index >= n {
		return nil, failure.NotFound.Errorf("cuda: cuda:%d: no such device; the driver finds %d", index, n)
	}
	c, err := drv.card(index)
	if err != nil {
		return nil, err
	}
	if c.major < 8 {
		reason := fmt.Sprintf("cuda: cuda:%d: %s has compute capability %d.%d, want at least 8.0", index, c.name, c.major, c.minor)
		return nil, device.Unsupported{Reason: reason}
	}
	d := &gpu{drv: drv, index: index, card: c, compute: compute, notes: o.Notes, busy: newBusy(o.Busy), sync: os.Getenv("AVSSNATIVE_CUDA_SYNC") == "1",
		modules: map[string]module{}, functions: map[string]function{}, profile: map[string]*timing{}}
	return d, nil
}

// openPlain opens a GPU without the Hopper product.
func openPlain(drv driver, index int, o device.Options) (*gpu, error) {
	d, err := described(drv, index, o)
	if err != nil {
		return nil, err
	}
	return d, d.begin(o.Memory)
}

// begin takes what the device holds, and tests it; where that fails nothing is held.
func (d *gpu) begin(memory int64) error {
	if err := d.start(memory); err != nil {
		d.stop()
		return fmt.Errorf("cuda: cuda:%d: %w", d.index, err)
	}
	if err := d.selfTest(); err != nil {
		d.stop()
		return fmt.Errorf("cuda: cuda:%d: self-test failed, the device is not used: %w", d.index, err)
	}
	return nil
}

// device is one open GPU. Its methods may be called from any goroutine, one at a time; mu keeps them from the uploads that run beside them.
type gpu struct {
	drv     driver
	index   int
	card    card
	compute device.Compute
	notes   []string // of how the device was chosen
	busy    *busy    // whom to tell what takes long
	sync    bool     // wait for every launch, check it, time it; pool nothing
	plain   bool     // join no operations: the slow twin of those that are
	forced  *tile    // take this shape for every product: for tests, which hold the shapes against each other
	sharing int      // with it: so many blocks share the tiles; 0: a block a tile

	context            primary
	computing, copying stream
	modules            map[string]module   // by source, loaded when a kernel of theirs is first launched
	functions          map[string]function // by kernel; memory.mu keeps both
	memory             memory
	staging            *staging
	uploads            *uploader

	mu       sync.Mutex
	err      error     // the first failure, until Sync reports it
	pending  []pending // what Sync reads once everything has been computed
	later    *addition // an Add that waits for what comes next
	layouts  []*placed
	tables   tables
	profile  map[string]*timing
	launches int      // on the compute stream, so far
	recent   []string // the kernels launched last, the latest at the end; memory.mu keeps them

	split      split
	hopper     *hopper // nil where mma.sync does the products
	hopperNote string
}

// pending is what an operation leaves for Sync: blocks with its results, what queues their copies to the host, and what reads these once they are
// there. All pending copies are waited for at once.
type pending struct {
	fetch  func() error
	read   func()
	blocks []*block
}

func (d *gpu) start(limit int64) error {
	var err error
	if d.context, err = d.drv.retain(d.index); err != nil {
		return err
	}
	return d.bound(func() error {
		if _, err := lendAll(d.neighbours()); err != nil {
			return err
		}
		free, _, err := d.drv.memory()
		if err != nil {
			return err
		}
		if limit <= 0 || limit > free {
			limit = free / 20 * 19
		}
		d.memory.drv, d.memory.limit, d.memory.pooled, d.memory.others = d.drv, limit, !d.sync, d.neighbours
		d.enter()
		if d.computing, err = d.drv.newStream(); err != nil {
			return err
		}
		if d.copying, err = d.drv.newStream(); err != nil {
			return err
		}
		if d.staging, err = newStaging(d); err != nil {
			return err
		}
		d.uploads, err = newUploader(d)
		return err
	})
}

// bound runs f on a thread to which the device's context is bound.
func (d *gpu) bound(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := d.drv.bind(d.context); err != nil {
		return err
	}
	return f()
}

// do runs the body of an operation unless one has failed before.
func (d *gpu) do(operation string, body func() error) {
	d.joining(operation, func(after *addition) error {
		if err := d.add(after); err != nil {
			return err
		}
		return body()
	})
}

// joining is do for an operation that may take over the addition asked for just before it, nil where there was none.
func (d *gpu) joining(operation string, body func(after *addition) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	after := d.later
	d.later = nil
	if err := d.bound(func() error { return body(after) }); err != nil {
		d.err = fmt.Errorf("cuda: cuda:%d: %s: %w", d.index, operation, err)
	}
}

// settle does the addition that waits, before something that is no operation.
func (d *gpu) settle() {
	after := d.later
	d.later = nil
	if after == nil || d.err != nil {
		return
	}
	if err := d.bound(func() error { return d.add(after) }); err != nil {
		d.err = fmt.Errorf("cuda: cuda:%d: add: %w", d.index, err)
	}
}

// Info describes the device.
func (d *gpu) Info() device.Info {
	i := d.card.info(d.index, d.compute)
	i.Notes = append(i.Notes, d.notes...)
	if d.hopperNote != "" {
		i.Notes = append(i.Notes, d.hopperNote)
	}
	return i
}

// Sync waits for everything that was asked and returns the first failure, which it clears.
func (d *gpu) Sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.settle()
	err := d.err
	d.err = nil
	if failed := d.bound(d.finish); err == nil && failed != nil {
		err = fmt.Errorf("cuda: cuda:%d: %w", d.index, failed)
	}
	return d.withRecent(err)
}

// finish waits for what was queued, and reads what that has left. Where an operation failed before it was queued, those before it have their results.
func (d *gpu) finish() (err error) {
	whole := 0
	for _, p := range d.pending {
		if err == nil {
			if err = p.fetch(); err == nil {
				whole++
			}
		}
	}
	if wait := d.drv.waitStream(d.computing); wait != nil {
		whole, err = 0, wait
	}
	for i, p := range d.pending {
		if i < whole {
			p.read()
		}
		d.release(&err, p.blocks...)
	}
	d.pending = nil
	return err
}

// Failed is what Sync will return, as far as it is known by now: operations fail where they are queued, but for kernels.
func (d *gpu) Failed() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// Close gives back what the device holds.
func (d *gpu) Close() error {
	err := d.Sync()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.report()
	d.stop()
	return err
}

func (d *gpu) stop() {
	if d.context == 0 {
		return
	}
	d.leave()
	if d.uploads != nil {
		d.uploads.close()
	}
	_ = d.bound(func() error {
		if d.staging != nil {
			_ = d.drv.waitStream(d.computing)
			_ = d.staging.close()
		}
		d.memory.freeAll()
		if d.computing != 0 {
			_ = d.drv.freeStream(d.computing)
		}
		if d.copying != 0 {
			_ = d.drv.freeStream(d.copying)
		}
		for _, m := range d.modules {
			_ = d.drv.unload(m)
		}
		return nil
	})
	if err := d.drv.release(d.index); err != nil {
		slog.Debug("cuda: release of the context", "error", err)
	}
	d.context = 0
}
