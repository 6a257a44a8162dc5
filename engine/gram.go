package engine

import (
	"unsafe"

	"avssnative/engine/device"
)

// Gram is the sums from which a linear layer is fitted: over rows x of its inputs and e of what its outputs lack, in float64.
type Gram struct {
	In, Out int
	Rows    int       // rows summed
	XX      []float64 // Σ x xᵀ [In × In]
	EX      []float64 // Σ e xᵀ [Out × In]
	EE      float64   // Σ |e|²
	X, E    []float64 // Σ x [In], Σ e [Out]
}

func newGram(in, out int) *Gram {
	return &Gram{In: in, Out: out, XX: make([]float64, in*in), EX: make([]float64, out*in), X: make([]float64, in), E: make([]float64, out)}
}

// summer takes Grams on a device: a tile of rows is multiplied with itself as a product of float32 operands, and tiles are added up in float64.
type summer struct{ device device.Device }

// add sums a tile: x [rows × in], and the rows of each e [rows × out]. What is in x is summed once for all of them.
func (s *summer) add(x []float32, rows int, es [][]float32, to []*Gram) error {
	in := to[0].In
	matrix, err := s.device.Matrix(device.Weight{Name: "inputs", Type: device.F32, Data: bytesOf(x), Out: in, In: rows, Stride: in, Transposed: true})
	if err != nil {
		return err
	}
	defer matrix.Release()
	square := make([]float64, in*in)
	if err := s.times(square, transposed(x, rows, in), in, rows, matrix); err != nil {
		return err
	}
	for k, g := range to {
		for i, v := range square {
			g.XX[i] += v
		}
		if err := s.times(g.EX, transposed(es[k], rows, g.Out), g.Out, rows, matrix); err != nil {
			return err
		}
		for row := range rows {
			for i, v := range x[row*in : (row+1)*in] {
				g.X[i] += float64(v)
			}
			for i, v := range es[k][row*g.Out : (row+1)*g.Out] {
				g.E[i] += float64(v)
				g.EE += float64(v) * float64(v)
			}
		}
		g.Rows += rows
	}
	return nil
}

// times adds a [rows × k] · matrixᵀ to a sum.
func (s *summer) times(sum []float64, a []float32, rows, k int, matrix device.Matrix) error {
	left, out := s.device.NewTensor(rows, k), s.device.NewTensor(rows, matrix.Out())
	defer left.Free()
	defer out.Free()
	s.device.Upload(left, 0, a)
	s.device.Product(out, left, matrix, nil)
	values := make([]float32, rows*matrix.Out())
	s.device.Download(values, out, 0)
	if err := s.device.Sync(); err != nil {
		return err
	}
	for i, v := range values {
		sum[i] += float64(v)
	}
	return nil
}

// transposed is a [rows × cols] as [cols × rows].
func transposed(a []float32, rows, cols int) []float32 {
	t := make([]float32, len(a))
	const tile = 32
	for r0 := 0; r0 < rows; r0 += tile {
		for c0 := 0; c0 < cols; c0 += tile {
			for r := r0; r < min(r0+tile, rows); r++ {
				for c := c0; c < min(c0+tile, cols); c++ {
					t[c*rows+r] = a[r*cols+c]
				}
			}
		}
	}
	return t
}

// bytesOf shows float32 values as the bytes of a stored tensor.
func bytesOf(values []float32) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), 4*len(values))
}
