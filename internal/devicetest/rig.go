package devicetest

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

// A rig makes the tensors of one computation on one device, and looks afterwards whether what lies around them was left alone.
type rig struct {
	device  device.Device
	views   bool // tensors are windows in larger ones
	inPlace bool // dst is the first input, where a case allows it
	joined  bool // sequences with a prefix become one with it

	whole    []device.Tensor // everything allocated
	windows  []window        // where the views lie in it
	matrices []device.Matrix
	failures []string
}

// A window is a view of rows × cols at (1, offset) of a larger tensor.
type window struct{ rows, cols int }

const (
	above, below = 1, 2
	left, right  = 3, 6 // the view begins at no multiple of a vector's length
)

// compute runs a case on some units and gives their values.
func (r *rig) compute(c testCase, units []int) ([][]float64, []string) {
	defer r.release()
	s := c.prepare(r, units)
	s.call()
	values := s.read()
	if err := r.device.Sync(); err != nil {
		return nil, append(r.failures, err.Error())
	}
	r.inspect()
	return values, r.failures
}

func (r *rig) release() {
	for _, t := range r.whole {
		t.Free()
	}
	for _, m := range r.matrices {
		m.Release()
	}
}

// tensor holds the given rows.
func (r *rig) tensor(rows [][]float32, cols int) device.Tensor {
	t := r.output(len(rows), cols)
	if len(rows) > 0 && cols > 0 {
		flat := make([]float32, 0, len(rows)*cols)
		for _, row := range rows {
			flat = append(flat, row...)
		}
		r.device.Upload(t, 0, flat)
	}
	return t
}

// row is a tensor of one row; nil stays nil.
func (r *rig) row(values []float32) device.Tensor {
	if values == nil {
		return nil
	}
	return r.tensor([][]float32{values}, len(values))
}

// output is a tensor full of NaN, so that what an operation leaves out is seen.
func (r *rig) output(rows, cols int) device.Tensor {
	tall, wide := rows, cols
	if r.views {
		tall, wide = rows+above+below, cols+left+right
	}
	t := r.device.NewTensor(tall, wide)
	if tall*wide > 0 {
		poison := make([]float32, tall*wide)
		for i := range poison {
			poison[i] = float32(math.NaN())
		}
		r.device.Upload(t, 0, poison)
	}
	r.whole, r.windows = append(r.whole, t), append(r.windows, window{rows, cols})
	if r.views {
		return t.Columns(left, cols).Slice(above, rows)
	}
	return t
}

// result is where an operation that works row by row writes: a new tensor, or its input.
func (r *rig) result(input device.Tensor, rows, cols int) device.Tensor {
	if r.inPlace {
		return input
	}
	return r.output(rows, cols)
}

// matrix makes a weight; a failure is kept, and gives nil.
func (r *rig) matrix(w device.Weight) device.Matrix {
	m, err := r.device.Matrix(w)
	if err != nil {
		r.failures = append(r.failures, err.Error())
		return nil
	}
	if m.Out() != w.Out || m.In() != w.In {
		r.failures = append(r.failures, fmt.Sprintf("matrix [%d %d], want [%d %d]", m.Out(), m.In(), w.Out, w.In))
	}
	r.matrices = append(r.matrices, m)
	return m
}

// lines reads a tensor.
func (r *rig) lines(t device.Tensor) [][]float64 {
	rows, cols := t.Rows(), t.Cols()
	flat := make([]float32, rows*cols)
	if len(flat) > 0 {
		r.device.Download(flat, t, 0)
	}
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, cols)
		for j := range out[i] {
			out[i][j] = float64(flat[i*cols+j])
		}
	}
	return out
}

// inspect looks for values written outside of the views.
func (r *rig) inspect() {
	if !r.views {
		return
	}
	for n, t := range r.whole {
		w := r.windows[n]
		for i, line := range r.lines(t) {
			for j, v := range line {
				inside := i >= above && i < above+w.rows && j >= left && j < left+w.cols
				if !inside && !math.IsNaN(v) {
					r.failures = append(r.failures, fmt.Sprintf("tensor %d: %g was written outside of a view of [%d %d], at row %d, column %d of it",
						n, v, w.rows, w.cols, i-above, j-left))
					return
				}
			}
		}
	}
	if err := r.device.Sync(); err != nil {
		r.failures = append(r.failures, err.Error())
	}
}
