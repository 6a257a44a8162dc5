package cuda

import (
	"fmt"

	"avssnative/engine/device"
	"avssnative/failure"
)

// matrix is a weight in device memory, in the precision of the products: rows of In values padded with zeros to a multiple of 8, float32 or
// bfloat16. It is uploaded beside the computation; who uses it waits for that.
type matrix struct {
	on     *gpu
	weight device.Weight
	wide   bool // float32
	pitch  int  // values from row to row
	block  *block
	raw    *block        // the stored blocks, of a type that a product reads as it is; then block is made when a product first wants it
	line   int           // bytes from row to row of raw
	ready  chan struct{} // closed when the upload has been queued, or has failed
	done   event         // recorded on the copy stream behind the upload
	err    error

	released bool
	kept     bool // nobody uses it, and its memory has not been taken; memory.mu keeps it
}

func (m *matrix) Out() int { return m.weight.Out }
func (m *matrix) In() int  { return m.weight.In }

// Matrix checks a weight and starts its upload.
func (d *gpu) Matrix(w device.Weight) (device.Matrix, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	if values, _, _ := w.Type.Block(); values > 1 {
		if _, known := quantisedAs[w.Type]; !known {
			return nil, failure.Unsupported.Errorf("cuda: cuda:%d: %s: no kernel reads %s; device cpu does", d.index, w.Name, w.Type)
		}
	}
	m := &matrix{on: d, weight: w, wide: d.compute == device.ComputeF32, pitch: (w.In + 7) &^ 7, ready: make(chan struct{})}
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.bound(func() (err error) {
		if values, bytes, err := w.Type.Block(); err == nil && !m.wide && fewKernel[w.Type] != nil && w.Stride == w.In {
			m.line = w.In / values * bytes
			if m.raw, err = d.memory.take(int64(w.Out) * int64(m.line)); err != nil {
				return err
			}
		} else if m.block, err = d.memory.take(int64(w.Out) * int64(m.pitch) * m.size()); err != nil {
			return err
		}
		if m.done, err = d.drv.newEvent(false); err != nil {
			d.release(&err, m.block, m.raw)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cuda: cuda:%d: %s: matrix [%d %d]: %w", d.index, w.Name, w.Out, w.In, err)
	}
	d.uploads.add(m)
	return m, nil
}

func (m *matrix) size() int64 {
	if m.wide {
		return 4
	}
	return 2
}

// Release gives the memory back once the upload and what was asked before are through with it.
func (m *matrix) Release() {
	d := m.on
	m.retire("release", func() error {
		defer func() { m.block, m.raw = nil, nil }()
		for _, b := range m.blocks() {
			if err := d.memory.give(b, d.computing); err != nil {
				return err
			}
		}
		return d.drv.freeEvent(m.done)
	})
}

// retire is the end of a weight's use, once: what becomes of its memory is done behind the upload.
func (m *matrix) retire(what string, do func() error) {
	d := m.on
	<-m.ready
	d.mu.Lock()
	defer d.mu.Unlock()
	if m.released || d.context == 0 {
		return
	}
	m.released = true
	d.settle()
	err := d.bound(func() error {
		if err := d.drv.after(d.computing, m.done); err != nil {
			return err
		}
		return do()
	})
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("cuda: cuda:%d: %s: %s: %w", d.index, m.weight.Name, what, err)
	}
}

// at is where the rows from the given one on lie, in the precision of the products.
func (m *matrix) at(row int) pointer { return m.block.at + pointer(int64(row)*int64(m.pitch)*m.size()) }

// widened makes sure that the weight is there in the precision of the products.
func (m *matrix) widened() error {
	if m.block != nil {
		return nil
	}
	d, w := m.on, m.weight
	b, err := d.memory.take(int64(w.Out) * int64(m.pitch) * m.size())
	if err != nil {
		return fmt.Errorf("%s: %w", w.Name, err)
	}
	err = d.launch(cells(w.Out, m.pitch), kernelDequantise(viewOf[byte](b.at, m.pitch), flag(m.wide), viewOf[byte](m.raw.at, m.line),
		quantisedAs[w.Type], 1, w.Out, w.In, m.pitch))
	if err != nil {
		d.release(&err, b)
		return err
	}
	m.block = b
	return nil
}

// matrix checks a weight argument and makes the compute stream wait for its upload.
func (a *arguments) matrix(name string, w device.Matrix) *matrix {
	none := &matrix{on: a.d}
	m, ok := w.(*matrix)
	if !ok || m == nil || m.on != a.d {
		a.want(false, "%s is of another device", name)
		return none
	}
	if m.released {
		a.want(false, "%s was released", name)
		return none
	}
	if a.err != nil {
		return m
	}
	<-m.ready
	if m.err != nil {
		a.err = m.err
		return m
	}
	a.err = a.d.drv.after(a.d.computing, m.done)
	return m
}
