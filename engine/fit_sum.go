package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"avssnative/engine/arch"
	"avssnative/engine/device"
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
	layer := half / 2
	loaded, err := f.model.load(f.device, f.repair.tensors(), f.block(half).Refs)
	if err != nil {
		return err
	}
	defer f.release(loaded)
	f.lengths = [2]float64{}
	fits, outs := make([]*LinearFit, len(linears)), make([]int, len(linears))
	for i, l := range linears {
		outs[i] = loaded.matrices[&l.Weight].Out()
	}
	in := loaded.matrices[&linears[0].Weight].In()
	sums, held := newGrams(in, outs...), newGrams(in, outs...)
	for i, l := range linears {
		fits[i] = &LinearFit{Layer: layer, Name: l.Weight.Name, Adds: post != nil, Gap: f.gap, Linear: f.linear(half),
			Sums: sums[i], Held: held[i], Bias: loaded.values[&l.Bias]}
		if fits[i].Bias != nil {
			sums[i].withBias()
			held[i].withBias()
		}
	}
	for at, b := range f.batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.tile(at, b, half, linears, fits, loaded, want, post); err != nil {
			return fmt.Errorf("engine: fit: layer %d: %w", layer, err)
		}
	}
	if f.target != nil && fits[0].Sums.Rows+fits[0].Held.Rows > 0 {
		fits[0].Dense, fits[0].Pruned = f.lengths[0]/float64(f.packing.rows), f.lengths[1]/float64(f.packing.rows)
	}
	for i, l := range linears {
		if fits[i].Weight, err = f.values(l); err != nil {
			return err
		}
		stored, found := f.model.Tensors.Lookup(l.Weight.Name)
		if !found { // a linear map has just been put there
			stored = f.repair.Stored(l.Weight.Name)
		}
		fits[i].Type = stored.Type
		solved, err := f.fit.Solve(ctx, fits[i])
		if err != nil {
			return err
		}
		if solved == nil {
			continue
		}
		set := func() error { return f.repair.setRef(&l.Weight, solved.Weight) }
		if solved.Rows != nil {
			set = func() error { return f.repair.setRows(&l.Weight, solved.Rows) }
		}
		if err := set(); err != nil {
			return err
		}
		if solved.Bias != nil {
			if err := f.repair.setRef(&l.Bias, solved.Bias); err != nil {
				return err
			}
		}
	}
	return nil
}

// held says whether a batch is kept apart: one of eight, or the last of fewer.
func (f *fitter) held(at int) bool {
	if len(f.batches) < 8 {
		return len(f.batches) > 1 && at == len(f.batches)-1
	}
	return at%8 == 7
}

// tile sums one batch.
func (f *fitter) tile(at int, b batch, half int, linears []*arch.Linear, fits []*LinearFit, loaded *layerWeights,
	want func(*forward, batch, []device.Tensor) error, post *arch.NormSpec) error {
	s := b.spans[0]
	fw := f.forward(b, loaded)
	x := f.entering(fw, f.pruned.Slice(s.start, s.rows), half, linears[0])
	wanted, lacks := make([]device.Tensor, len(linears)), make([][]float32, len(linears))
	for i := range linears {
		wanted[i] = fw.pool.take(b.rows, fits[i].Sums.Out)
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
		lacks[i] = make([]float32, b.rows*fits[i].Sums.Out)
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
	weights := make([]float32, b.rows)
	for row := range weights {
		weights[row] = 1
		if factors != nil {
			weights[row] = factors[row]
		}
	}
	if f.target != nil {
		hidden := f.model.Spec.Hidden
		goal := make([]float32, b.rows*hidden)
		f.device.Download(goal, f.target.Slice(s.start, s.rows), 0)
		if err := f.device.Sync(); err != nil {
			return err
		}
		for row := range b.rows {
			at, end := row*hidden, (row+1)*hidden
			weights[row] *= f.relative(goal[at:end], lacks[0][at:end])
		}
	}
	for row, weight := range weights {
		scale(inputs[row*x.Cols():(row+1)*x.Cols()], weight)
		for i := range lacks {
			out := fits[i].Sums.Out
			scale(lacks[i][row*out:(row+1)*out], weight)
		}
	}
	if !slices.ContainsFunc(linears, func(l *arch.Linear) bool { return l.Bias.Name != "" }) {
		weights = nil
	}
	grams := make([]*Gram, len(fits))
	for i := range fits {
		if grams[i] = fits[i].Sums; f.held(at) {
			grams[i] = fits[i].Held
		}
	}
	return f.sums.add(inputs, b.rows, lacks, weights, grams)
}

// relative is what a row counts: the inverse of the dense stream's size there, of which goal is the row. It adds the row to the lengths.
func (f *fitter) relative(goal, lacks []float32) float32 {
	dense, pruned := 0.0, 0.0
	for i, v := range goal {
		dense += float64(v) * float64(v)
		without := float64(v) - float64(lacks[i])
		pruned += without * without
	}
	f.lengths[0] += math.Sqrt(dense)
	f.lengths[1] += math.Sqrt(pruned)
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
