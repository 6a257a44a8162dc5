package engine

import (
	"unsafe"

	"avssnative/engine/device"
)

// Gram is the sums from which a linear layer is fitted: over rows x of its inputs and e of what its outputs lack, both times the row's weight c,
// in float64.
type Gram struct {
	In, Out int
	Rows    int       // rows summed
	XX      []float64 // Σ x xᵀ [In × In]; layers with one input share it, and X
	EX      []float64 // Σ e xᵀ [Out × In]
	EE      float64   // Σ |e|²
	// Of the input of ones that a bias multiplies: Σ c x [In], Σ c e [Out] and Σ c², which is 0 where the layer has none.
	X, E []float64
	Ones float64
}

// newGrams are sums of layers with one input: each has its own of e, and they share those of x.
func newGrams(in int, outs ...int) []*Gram {
	xx, x := make([]float64, in*in), make([]float64, in)
	grams := make([]*Gram, len(outs))
	for i, out := range outs {
		grams[i] = &Gram{In: in, Out: out, XX: xx, EX: make([]float64, out*in), X: x}
	}
	return grams
}

// withBias has the sums taken that a bias is solved from.
func (g *Gram) withBias() { g.E = make([]float64, g.Out) }

// summer takes Grams on a device: a tile of rows is multiplied with itself as a product of float32 operands, and tiles are added up in float64.
// It keeps what a tile needs, which for a wide layer is more than the tile.
type summer struct {
	device           device.Device
	turned, products []float32
}

// add sums a tile of layers with one input: x [rows × in], and the rows of each e [rows × out]. weights are those of the rows, by which x and e
// are multiplied already, where a layer has a bias; nil: none has.
func (s *summer) add(x []float32, rows int, es [][]float32, weights []float32, to []*Gram) error {
	in := to[0].In
	matrix, err := s.device.Matrix(device.Weight{Name: "inputs", Type: device.F32, Data: bytesOf(x), Out: in, In: rows, Stride: in, Transposed: true})
	if err != nil {
		return err
	}
	defer matrix.Release()
	if err := s.times(to[0].XX, x, in, rows, matrix); err != nil {
		return err
	}
	for row, c := range weights {
		for i, v := range x[row*in : (row+1)*in] {
			to[0].X[i] += float64(c) * float64(v)
		}
	}
	for k, g := range to {
		if err := s.times(g.EX, es[k], g.Out, rows, matrix); err != nil {
			return err
		}
		for _, v := range es[k][:rows*g.Out] {
			g.EE += float64(v) * float64(v)
		}
		for row, c := range weights {
			if g.E == nil {
				break
			}
			for i, v := range es[k][row*g.Out : (row+1)*g.Out] {
				g.E[i] += float64(c) * float64(v)
			}
			g.Ones += float64(c) * float64(c)
		}
		g.Rows += rows
	}
	return nil
}

// times adds aᵀ · matrixᵀ to a sum, for a [rows × cols].
func (s *summer) times(sum []float64, a []float32, cols, rows int, matrix device.Matrix) error {
	left, out := s.device.NewTensor(cols, rows), s.device.NewTensor(cols, matrix.Out())
	defer left.Free()
	defer out.Free()
	s.turned, s.products = resized(s.turned, rows*cols), resized(s.products, cols*matrix.Out())
	transpose(s.turned, a, rows, cols)
	s.device.Upload(left, 0, s.turned)
	s.device.Product(out, left, matrix, nil)
	s.device.Download(s.products, out, 0)
	if err := s.device.Sync(); err != nil {
		return err
	}
	for i, v := range s.products {
		sum[i] += float64(v)
	}
	return nil
}

// resized is a slice of n values, what they are being of no importance.
func resized(values []float32, n int) []float32 {
	if cap(values) < n {
		return make([]float32, n)
	}
	return values[:n]
}

// transpose writes a [rows × cols] as [cols × rows].
func transpose(t, a []float32, rows, cols int) {
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
}

// bytesOf shows float32 values as the bytes of a stored tensor.
func bytesOf(values []float32) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), 4*len(values))
}
