package prune

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/engine/weights"

	"gonum.org/v1/gonum/mat"
)

// Rounding with error feedback (GPTQ, arXiv 2210.17323, algorithm 1): the columns of a weight are rounded one after the other, and what each loses
// is made up by those behind it as the sums of their inputs say, H = Σ x xᵀ + λμI. Scales are found a block at a time from what its columns have
// become by then.

// rounded is a solved weight in the type that it will be stored in, where that has few values; others are rounded when they are written.
func rounded(l *engine.LinearFit, weight []float32, lambda float64) (*engine.Solution, error) {
	if !weights.HasCodes(l.Type) {
		return &engine.Solution{Weight: weight}, nil
	}
	h, err := ridged(centred(l.Sums), lambda)
	if err != nil {
		return nil, err
	}
	rows, err := roundRows(weight, l.Sums.Out, l.Sums.In, l.Type, h)
	if err != nil {
		return nil, err
	}
	return &engine.Solution{Rows: rows}, nil
}

// roundRows writes a weight [out × in] in a type of blocks, so that Σ|(W − Ŵ)x|² stays small. h is [in × in].
func roundRows(weight []float32, out, in int, kind device.DType, h *mat.SymDense) ([]byte, error) {
	block, size, err := kind.Block()
	if err != nil {
		return nil, fmt.Errorf("prune: %w", err)
	}
	if in%block != 0 {
		return nil, fmt.Errorf("prune: rows of %d values are no whole blocks of %s", in, kind)
	}
	feedback, err := feedback(h)
	if err != nil {
		return nil, err
	}
	w := mat.NewDense(out, in, widened(weight))
	data := make([]byte, out*in/block*size)
	lost := mat.NewDense(out, block, nil)
	for first := 0; first < in; first += block {
		err := eachShare(out, func(row int) error {
			at := (row*in + first) / block * size
			return roundBlock(data[at:at+size], kind, w.RawRowView(row)[first:first+block], lost.RawRowView(row), feedback, first)
		})
		if err != nil {
			return nil, err
		}
		if first+block < in {
			var change mat.Dense
			change.Mul(lost, feedback.Slice(first, first+block, first+block, in))
			behind := w.Slice(0, out, first+block, in).(*mat.Dense)
			behind.Sub(behind, &change)
		}
	}
	return data, nil
}

// feedback is the upper triangle U with UᵀU = H⁻¹: row i says what the columns behind i make up of what column i loses.
func feedback(h *mat.SymDense) (*mat.Dense, error) {
	n := h.SymmetricDim()
	backwards := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			backwards.SetSym(i, j, h.At(n-1-i, n-1-j))
		}
	}
	var c mat.Cholesky
	if !c.Factorize(backwards) {
		return nil, errors.New("prune: the inputs of the layer depend on each other too much to round by them")
	}
	// With the order reversed, L Lᵀ is R Rᵀ for an upper triangle R, and U is R⁻¹.
	var lower, inverse mat.TriDense
	c.LTo(&lower)
	if err := inverse.InverseTri(&lower); err != nil {
		if _, poor := err.(mat.Condition); !poor {
			return nil, fmt.Errorf("prune: %w", err)
		}
	}
	u := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range i + 1 {
			u.Set(n-1-i, n-1-j, inverse.At(i, j))
		}
	}
	return u, nil
}

// roundBlock rounds one block of a row. values end as what is left of them, lost as each column's error over its own feedback.
func roundBlock(dst []byte, kind device.DType, values, lost []float64, u *mat.Dense, first int) error {
	grid, err := weights.Grid(dst, kind, narrowed(values))
	if err != nil {
		return err
	}
	codes := make([]int, len(values))
	for i, v := range values {
		row := u.RawRowView(first + i)
		code, says := grid.Nearest(i, v)
		codes[i], lost[i] = code, (v-says)/row[first+i]
		for k := i + 1; k < len(values); k++ {
			values[k] -= lost[i] * row[first+k]
		}
	}
	return grid.Put(dst, codes)
}

func narrowed(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

// eachShare does something for every number below count, on all processors.
func eachShare(count int, do func(int) error) error {
	shares := runtime.GOMAXPROCS(0)
	errs := make([]error, shares)
	var wait sync.WaitGroup
	for share := range shares {
		wait.Go(func() {
			for i := count * share / shares; i < count*(share+1)/shares && errs[share] == nil; i++ {
				errs[share] = do(i)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
