package reference

import (
	"fmt"
	"sync"
	"sync/atomic"

	"avssnative/engine/device"
)

// plain is device "reference", which says what every operation of device.Device means: plain loops in Go over float64, in the order a reader would
// write them. It is the slow twin that all other devices are held against, and the device of choice where a result looks wrong. Weights are kept
// decoded, 8 bytes a value. Work is spread over rows, never within a sum, so the number of threads cannot change a bit.
//
// It is also the strictest device: every shape, index and overlap that the interface forbids is refused here with an error that says
// what was found and what is wanted.
type plain struct {
	threads int
	compute device.Compute
	err     error // the first failure since the last Sync
}

func init() { device.Register("reference", driver{}) }

type driver struct{}

func (driver) List() ([]device.Info, error) {
	return []device.Info{(&plain{threads: device.Options{}.Workers(), compute: device.ComputeF64}).Info()}, nil
}

func (driver) Open(index int, o device.Options) (device.Device, error) {
	if index != 0 {
		return nil, fmt.Errorf("reference:%d: there is only one", index)
	}
	compute := o.Compute
	switch compute {
	case "", device.ComputeAuto:
		compute = device.ComputeF64
	case device.ComputeF64, device.ComputeInt8:
	default:
		return nil, fmt.Errorf("reference: compute %q: not supported; supported: auto, f64, int8", o.Compute)
	}
	if o.Threads < 0 {
		return nil, fmt.Errorf("reference: %d threads", o.Threads)
	}
	return &plain{threads: o.Workers(), compute: compute}, nil
}

func (driver) Automatic() int { return -1 }

func (d *plain) Info() device.Info {
	return device.Info{
		Name:        "reference",
		Description: "plain Go in float64: slow, for checking the others",
		ISA:         "go",
		Threads:     d.threads,
		Compute:     d.compute,
	}
}

func (d *plain) Close() error { return nil }

func (d *plain) Sync() error {
	err := d.err
	d.err = nil
	return err
}

// each calls f for 0 … n−1, on all threads. f writes nothing that another call reads.
func (d *plain) each(n int, f func(i int)) {
	workers := min(d.threads, n)
	if workers <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}

// check gathers what an operation was given; its first complaint becomes the device's failure. After a complaint it hands out empty
// values, so that an operation asks failed once, when it has taken everything.
type check struct {
	device    *plain
	operation string
}

func (d *plain) check(operation string) check { return check{d, operation} }

func (c check) failed() bool { return c.device.err != nil }

func (c check) fail(format string, args ...any) {
	if c.device.err == nil {
		c.device.err = fmt.Errorf("reference: %s: %s", c.operation, fmt.Sprintf(format, args...))
	}
}

// want complains unless the condition holds.
func (c check) want(holds bool, format string, args ...any) {
	if !holds {
		c.fail(format, args...)
	}
}

// anyExtent stands for rows or columns that may be any number.
const anyExtent = -1

// tensor takes a tensor of a given shape.
func (c check) tensor(name string, t device.Tensor, rows, cols int) *tensor {
	own, ours := t.(*tensor)
	switch {
	case t == nil:
		c.fail("%s: no tensor", name)
	case !ours || own.device != c.device:
		c.fail("%s: a tensor of another device", name)
	case own.buffer.freed:
		c.fail("%s: tensor used after Free", name)
	case rows != anyExtent && own.rows != rows, cols != anyExtent && own.cols != cols:
		c.fail("%s: shape [%d %d], want [%s %s]", name, own.rows, own.cols, extent(rows), extent(cols))
	default:
		return own
	}
	return &tensor{device: c.device, buffer: &buffer{}}
}

// optional takes a tensor that may be nil.
func (c check) optional(name string, t device.Tensor, rows, cols int) *tensor {
	if t == nil {
		return nil
	}
	return c.tensor(name, t, rows, cols)
}

func extent(n int) string {
	if n == anyExtent {
		return "any"
	}
	return fmt.Sprint(n)
}

// apart complains where dst shares values with an input.
func (c check) apart(dst *tensor, inputs ...*tensor) {
	for _, input := range inputs {
		c.want(input == nil || !dst.overlaps(input), "dst overlaps an input")
	}
}

// inPlace complains where dst shares values with the first input without being the same, or with another input.
func (c check) inPlace(dst, first *tensor, others ...*tensor) {
	c.want(dst.same(first) || !dst.overlaps(first), "dst overlaps the first input without being the same")
	c.apart(dst, others...)
}

// matrix takes a weight.
func (c check) matrix(name string, m device.Matrix) *matrix {
	own, ours := m.(*matrix)
	switch {
	case m == nil:
		c.fail("%s: no matrix", name)
	case !ours || own.device != c.device:
		c.fail("%s: a matrix of another device", name)
	case own.released:
		c.fail("%s: %s used after Release", name, own.name)
	default:
		return own
	}
	return &matrix{device: c.device}
}

// layout complains about a layout that is not one of these rows.
func (c check) layout(l *device.Layout, rows int) {
	if l == nil || len(l.Start) == 0 {
		c.fail("no layout")
		return
	}
	if l.Start[0] != 0 {
		c.fail("layout: first sequence starts at row %d, want 0", l.Start[0])
		return
	}
	for i := range l.Sequences() {
		if l.Start[i+1] < l.Start[i] {
			c.fail("layout: sequence %d ends at row %d, before it starts at row %d", i, l.Start[i+1], l.Start[i])
			return
		}
	}
	c.want(l.Rows() == rows, "layout: %d rows, want %d", l.Rows(), rows)
	if l.Prefix == nil {
		return
	}
	if len(l.Prefix) != l.Sequences() {
		c.fail("layout: %d prefixes for %d sequences", len(l.Prefix), l.Sequences())
		return
	}
	for i, p := range l.Prefix {
		if p < -1 || int(p) >= l.Sequences() || int(p) == i {
			c.fail("layout: sequence %d has prefix %d of %d sequences", i, p, l.Sequences())
			return
		}
		c.want(p < 0 || l.Prefix[p] < 0, "layout: prefix %d of sequence %d has a prefix itself", p, i)
	}
}
