// Package null is the device "null", which computes nothing: it holds shapes instead of numbers, and counts what a real device would be asked
// for. So a walk through a model of any size takes seconds, without weights and without memory, and tells beforehand what a job will take.
//
// A roofline (S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model", 2009) turns the counts into time: an
// operation takes at least its arithmetic at the peak rate, and at least its bytes at the rate of the memory.
package null

import (
	"fmt"

	"avssnative/engine/device"
)

// Counts are what was asked for.
type Counts struct {
	Launches   map[string]int64 // calls of each operation
	FLOPs      float64          // multiplications and additions
	Bytes      float64          // of tensors and matrices read and written by operations
	Weights    int64            // bytes of matrices and vectors brought to the device
	Peak       int64            // most bytes of tensors and matrices held at a time
	Tensors    int64            // most bytes of tensors alone held at a time
	Operations []Operation      // each kind of work once, for a roofline
}

// Operation is work of one shape, done so many times.
type Operation struct {
	Name         string
	FLOPs, Bytes float64 // of one
	Times        int64
}

// Seconds is the roofline's time: every operation at its own limit, by floating-point operations and bytes a second.
func (c *Counts) Seconds(flops, bandwidth float64) float64 {
	var sum float64
	for _, o := range c.Operations {
		sum += float64(o.Times) * max(o.FLOPs/flops, o.Bytes/bandwidth)
	}
	return sum
}

// Device counts. It serves one walk at a time, as all devices do.
type Device struct {
	options device.Options
	counts  Counts
	known   map[Operation]int
	held    int64
	tensors int64 // of it
}

func init() { device.Register("null", driver{}) }

type driver struct{}

func (driver) List() ([]device.Info, error)                        { return []device.Info{info(device.Options{})}, nil }
func (driver) Open(_ int, o device.Options) (device.Device, error) { return New(o), nil }
func (driver) Automatic() int                                      { return -1 }
func info(o device.Options) device.Info {
	return device.Info{Name: "null", Description: "computes nothing, counts what would be computed", ISA: "none", Compute: compute(o.Compute), Memory: o.Memory}
}

func compute(c device.Compute) device.Compute {
	if c == "" || c == device.ComputeAuto {
		return device.ComputeBF16
	}
	return c
}

// New opens one.
func New(o device.Options) *Device {
	return &Device{options: o, counts: Counts{Launches: map[string]int64{}}, known: map[Operation]int{}}
}

// Counts is what has been asked for so far.
func (d *Device) Counts() *Counts { return &d.counts }

func (d *Device) Info() device.Info { return info(d.options) }
func (d *Device) Close() error      { return nil }
func (d *Device) Sync() error       { return nil }

func (d *Device) did(name string, flops, bytes float64) {
	d.counts.Launches[name]++
	d.counts.FLOPs += flops
	d.counts.Bytes += bytes
	o := Operation{Name: name, FLOPs: flops, Bytes: bytes}
	at, known := d.known[o]
	if !known {
		at = len(d.counts.Operations)
		d.known[o] = at
		d.counts.Operations = append(d.counts.Operations, o)
	}
	d.counts.Operations[at].Times++
}

func (d *Device) hold(bytes int64) {
	d.held += bytes
	d.counts.Peak = max(d.counts.Peak, d.held)
}

// tensor has a shape alone; its values would be float32.
type tensor struct {
	device     *Device
	rows, cols int
	view       bool
}

func (t *tensor) Rows() int { return t.rows }
func (t *tensor) Cols() int { return t.cols }
func (t *tensor) Slice(row, n int) device.Tensor {
	return t.window(row, n, t.rows, n, t.cols)
}
func (t *tensor) Columns(col, n int) device.Tensor {
	return t.window(col, n, t.cols, t.rows, n)
}

func (t *tensor) window(at, n, of, rows, cols int) device.Tensor {
	if at < 0 || n < 0 || at > of-n {
		panic(fmt.Sprintf("null: %d from %d on, of %d", n, at, of))
	}
	return &tensor{t.device, rows, cols, true}
}

func (t *tensor) Free() {
	if !t.view {
		t.device.held -= size(t)
		t.device.tensors -= size(t)
		t.view = true
	}
}

func size(tensors ...device.Tensor) int64 {
	var bytes int64
	for _, t := range tensors {
		if t != nil {
			bytes += 4 * int64(t.Rows()) * int64(t.Cols())
		}
	}
	return bytes
}

func values(t device.Tensor) float64 { return float64(t.Rows()) * float64(t.Cols()) }

func (d *Device) NewTensor(rows, cols int) device.Tensor {
	t := &tensor{device: d, rows: rows, cols: cols}
	d.hold(size(t))
	d.tensors += size(t)
	d.counts.Tensors = max(d.counts.Tensors, d.tensors)
	return t
}

func (d *Device) Upload(dst device.Tensor, _ int, src []float32) {
	d.counts.Weights += 4 * int64(len(src))
	d.did("upload", 0, float64(4*len(src)))
}

// Download gives numbers that lie evenly between 0 and 1 without an order, so that a router spreads its tokens over all experts.
func (d *Device) Download(dst []float32, src device.Tensor, row int) {
	state := uint64(row)
	for i := range dst { // splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014)
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		dst[i] = float32((z^z>>31)>>40) / (1 << 24)
	}
	d.did("download", 0, float64(4*len(dst)))
}

// matrix is a weight of so many stored bytes.
type matrix struct {
	device  *Device
	out, in int
	bytes   int64
}

func (m *matrix) Out() int { return m.out }
func (m *matrix) In() int  { return m.in }
func (m *matrix) Release() { m.device.held -= m.bytes; m.bytes = 0 }

func (d *Device) Matrix(w device.Weight) (device.Matrix, error) {
	block, bytes, err := w.Type.Block()
	if err != nil {
		return nil, fmt.Errorf("null: %s: %w", w.Name, err)
	}
	m := &matrix{d, w.Out, w.In, (int64(w.Out)*int64(w.In) + int64(block) - 1) / int64(block) * int64(bytes)}
	d.counts.Weights += m.bytes
	d.hold(m.bytes)
	return m, nil
}
