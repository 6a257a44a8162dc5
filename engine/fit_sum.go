package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/failure"
)

// How a fit sums up what enters a linear layer and what its outputs lack.

// entering is what enters a linear layer of a half, in a tensor from the pool, for the rows x of a stream.
func (f *fitter) entering(fw *forward, x device.Tensor, half int, l *arch.Linear) device.Tensor {
	var found device.Tensor
	fw.tap = func(at *arch.Linear, in device.Tensor) {
		if at == l {
			found = f.device.NewTensor(in.Rows(), in.Cols())
			f.copy(found, in)
			panic(reached{})
		}
	}
	y := f.device.NewTensor(x.Rows(), x.Cols())
	before := f.pool.outstanding()
	func() {
		defer func() {
			if r := recover(); r != nil {
				if _, ours := r.(reached); !ours {
					panic(r)
				}
			}
		}()
		fw.block(y, x, f.block(half), other(half))
	}()
	fw.tap = nil
	f.pool.reclaim(before)
	y.Free()
	if found == nil {
		panic(fmt.Sprintf("engine: fit: layer %d: nothing entered %s", half/2, l.Weight.Name))
	}
	kept := fw.pool.take(found.Rows(), found.Cols())
	f.copy(kept, found)
	found.Free()
	return kept
}

// reached ends a block's computation at the linear layer that was looked for.
type reached struct{}

// sum takes the Grams of linear layers with one input, lets them be solved, and sets what comes of it. want fills in what their outputs should
// be on a batch's rows; a norm behind the projection is taken as the factor that it is on each row.
func (f *fitter) sum(ctx context.Context, half int, linears []*arch.Linear, want func(*forward, batch, []device.Tensor) error, post *arch.NormSpec) error {
	var loaded *layerWeights // where something is summed up
	defer func() {
		if loaded != nil {
			f.release(loaded)
		}
	}()
	s := &step{shape: shape{in: linears[0].Weight.In}, products: f.products}
	for _, l := range linears {
		s.outs, s.biases = append(s.outs, l.Weight.Out), append(s.biases, l.Bias.Name != "")
	}
	if f.fit.Lengths {
		s.in, s.products = 0, func(leaf, bool) int { return 0 }
	}
	s.gather = func(run leaf, into *sums) (err error) {
		if loaded == nil {
			if loaded, err = f.model.load(f.device, f.repair.tensors(), f.block(half).Refs); err != nil {
				return err
			}
		}
		for at := run.first; at < run.end; at++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f.tile(at, half, linears, into, loaded, want, post); err != nil {
				return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
			}
		}
		return nil
	}
	s.finish = func(total *sums) (*settled, error) {
		solutions, err := f.solutions(ctx, half, linears, total, post != nil)
		return &settled{solutions: solutions}, err
	}
	var got *settled
	var err error
	if f.fit.Lengths && !f.gap { // there is nothing to be known
		got, err = s.finish(s.sums())
	} else {
		got, err = f.settle(ctx, s)
	}
	if err != nil {
		return err
	}
	return f.set(linears, got.solutions)
}

// solutions are what linear layers with one input become.
func (f *fitter) solutions(ctx context.Context, half int, linears []*arch.Linear, total *sums, adds bool) ([]*Solution, error) {
	solutions := make([]*Solution, len(linears))
	for i, l := range linears {
		fit := &LinearFit{Layer: half / 2, Name: l.Weight.Name, Adds: adds, Gap: f.gap, Linear: f.linear(half), Sums: total.fitted[i], Held: total.held[i]}
		if adds {
			rows := float64(f.packing.rows)
			fit.Dense, fit.Pruned = total.lengths[0]/rows, total.lengths[1]/rows
		}
		var err error
		if l.Bias.Name != "" {
			if fit.Bias, err = l.Bias.Values(f.repair.tensors()); err != nil {
				return nil, err
			}
		}
		if fit.Weight, err = f.values(l); err != nil {
			return nil, err
		}
		stored, found := f.model.Tensors.Lookup(l.Weight.Name)
		if !found { // a linear map has just been put there
			stored = f.repair.Stored(l.Weight.Name)
		}
		fit.Type = stored.Type
		if solutions[i], err = f.fit.Solve(ctx, fit); err != nil {
			return nil, err
		}
		total.fitted[i], total.held[i] = nil, nil
	}
	return solutions, nil
}

// set puts solutions in the places of linear layers.
func (f *fitter) set(linears []*arch.Linear, solutions []*Solution) error {
	for i, l := range linears {
		solved, err := fitting(l, solutions, i)
		if err != nil {
			return err
		}
		if solved == nil {
			continue
		}
		if solved.Rows != nil {
			err = f.repair.setRows(&l.Weight, solved.Rows)
		} else {
			err = f.repair.setRef(&l.Weight, solved.Weight)
		}
		if err == nil && solved.Bias != nil {
			err = f.repair.setRef(&l.Bias, solved.Bias)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fitting is the solution of one of some linear layers, which may come from a file.
func fitting(l *arch.Linear, solutions []*Solution, which int) (*Solution, error) {
	if which >= len(solutions) {
		return nil, failure.Corrupt.Errorf("engine: fit: %s: %d layers were solved, and it is none of them", l.Weight.Name, len(solutions))
	}
	s := solutions[which]
	if s == nil {
		return nil, nil
	}
	if n := l.Weight.Out * l.Weight.In; s.Rows == nil && len(s.Weight) != n || s.Bias != nil && len(s.Bias) != l.Weight.Out {
		return nil, failure.Corrupt.Errorf("engine: fit: %s: solved with %d values and %d of a bias, want %d and %d", l.Weight.Name, len(s.Weight),
			len(s.Bias), n, l.Weight.Out)
	}
	return s, nil
}

// held says whether a batch is kept apart: one of eight, or the last of fewer.
func (f *fitter) held(at int) bool {
	if f.count < 8 {
		return f.count > 1 && at == f.count-1
	}
	return at%8 == 7
}

// tile sums one batch.
func (f *fitter) tile(at, half int, linears []*arch.Linear, into *sums, loaded *layerWeights, want func(*forward, batch, []device.Tensor) error,
	post *arch.NormSpec) error {
	b := f.batches[at-f.from]
	fw := f.forward(b, loaded)
	x := f.entering(fw, f.of(f.pruned, b), half, linears[0])
	wanted, lacks := make([]device.Tensor, len(linears)), make([][]float32, len(linears))
	for i, l := range linears {
		wanted[i] = fw.pool.take(b.rows, l.Weight.Out)
	}
	if err := want(fw, b, wanted); err != nil {
		return err
	}
	var factors []float32
	for i, l := range linears {
		present := fw.linear(x, l)
		if post != nil && post.Kind != device.NormNone {
			var err error
			if factors, err = f.unnorm(fw, wanted[i], present, post); err != nil {
				return err
			}
		}
		f.device.Add(wanted[i], wanted[i], present, -1)
		fw.give(present)
		lacks[i] = make([]float32, b.rows*l.Weight.Out)
		f.device.Download(lacks[i], wanted[i], 0)
	}
	inputs := make([]float32, b.rows*x.Cols())
	f.device.Download(inputs, x, 0)
	err := f.device.Sync()
	fw.give(x)
	fw.give(wanted...)
	if err != nil {
		return err
	}
	weights, err := f.counts(b, lacks[0], factors, into)
	if err != nil || f.fit.Lengths {
		return err
	}
	for row, weight := range weights {
		scale(inputs[row*x.Cols():(row+1)*x.Cols()], weight)
		for i, l := range linears {
			scale(lacks[i][row*l.Weight.Out:(row+1)*l.Weight.Out], weight)
		}
	}
	if !slices.ContainsFunc(linears, func(l *arch.Linear) bool { return l.Bias.Name != "" }) {
		weights = nil
	}
	grams := into.fitted
	if f.held(at) {
		grams = into.held
	}
	return f.sums.add(inputs, b.rows, lacks, weights, grams)
}

// counts is by how much the errors of a batch's rows count: by the factor of each, where there are any, and relative to the target, where there is
// one.
func (f *fitter) counts(b batch, lacks, factors []float32, into *sums) ([]float32, error) {
	weights := factors
	if weights == nil {
		weights = slices.Repeat([]float32{1}, b.rows)
	}
	if f.target == nil {
		return weights, nil
	}
	hidden := f.model.Spec.Hidden
	goal := make([]float32, b.rows*hidden)
	f.device.Download(goal, f.of(f.target, b), 0)
	if err := f.device.Sync(); err != nil {
		return nil, err
	}
	for row := range b.rows {
		at, end := row*hidden, (row+1)*hidden
		weights[row] *= relative(goal[at:end], lacks[at:end], &into.lengths)
	}
	return weights, nil
}

// relative is what a row counts: the inverse of the dense stream's size there, of which goal is the row. It adds the row to the lengths.
func relative(goal, lacks []float32, lengths *[2]float64) float32 {
	dense, pruned := 0.0, 0.0
	for i, v := range goal {
		dense += float64(v) * float64(v)
		without := float64(v) - float64(lacks[i])
		pruned += without * without
	}
	lengths[0] += math.Sqrt(dense)
	lengths[1] += math.Sqrt(pruned)
	return float32(1 / math.Sqrt(dense/float64(len(goal))+1e-20))
}

func scale(values []float32, by float32) {
	for i := range values {
		values[i] *= by
	}
}

// unnorm turns what a norm's result should be into what should enter it: the norm multiplies a row by its weights over the row's size, which is
// taken from what enters now. It returns the factor of each row, by which errors in front of the norm count.
func (f *fitter) unnorm(fw *forward, wanted, present device.Tensor, n *arch.NormSpec) ([]float32, error) {
	if n.Kind != device.NormRMS || n.Groups > 1 || n.Bias.Name != "" {
		return nil, fmt.Errorf("a norm of this kind behind a projection cannot be fitted through")
	}
	rows, cols := present.Rows(), present.Cols()
	now, goal := make([]float32, rows*cols), make([]float32, rows*cols)
	f.device.Download(now, present, 0)
	f.device.Download(goal, wanted, 0)
	if err := f.device.Sync(); err != nil {
		return nil, err
	}
	gains := fw.weights.values[&n.Weight]
	factors := make([]float32, rows)
	for row := range rows {
		sum := 0.0
		for _, v := range now[row*cols : (row+1)*cols] {
			sum += float64(v) * float64(v)
		}
		factors[row] = float32(1 / math.Sqrt(sum/float64(cols)+float64(n.Eps)))
		for i := range cols {
			gain := n.Offset
			if gains != nil {
				gain += gains[i]
			} else {
				gain++
			}
			if by := gain * factors[row]; by != 0 {
				goal[row*cols+i] /= by
			} else {
				goal[row*cols+i] = now[row*cols+i]
			}
		}
	}
	f.device.Upload(wanted, 0, goal)
	return factors, f.device.Sync()
}

// values are a linear layer's weights as they are now, [Out × In].
func (f *fitter) values(l *arch.Linear) ([]float32, error) {
	w, err := l.Weight.Matrix(f.repair.tensors())
	if err != nil {
		return nil, err
	}
	all := make([]float32, w.Out*w.In)
	for i := range w.Out {
		if err := w.Float32s(all[i*w.In:(i+1)*w.In], i); err != nil {
			return nil, err
		}
	}
	return all, nil
}
