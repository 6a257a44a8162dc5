package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Fit walks the dense model and one without some units side by side over the same text, in order, and lets the linear layers that stay be solved
// anew from their own inputs on the pruned model's own stream. What has been solved is computed with from there on, so that every layer meets
// the errors of those before it.
//
// A projection that adds to the stream is to bring it to where the dense stream is when the next unit that stays reads it; rows count by what
// they lack relative to the dense stream's size there, which is what the norm behind it sees. An inner linear layer
// (queries, keys, values; gate, up) is to say on the pruned stream what it says on the dense one.
type Fit struct {
	Sequences []Sequence // ids alone count
	Drop      Drop
	Inner     bool // inner linear layers too
	Gaps      bool // only the projection in front of each gap
	// Solve is given each linear layer and returns its new weight [Out × In] and bias [Out]; a nil weight leaves it as it is, a nil bias keeps
	// the bias.
	Solve    func(ctx context.Context, l *LinearFit) (weight, bias []float32, err error)
	Progress func(Step)
}

// ErrNoFit is of models whose layers cannot be fitted in this way.
var ErrNoFit = errors.New("not supported")

// LinearFit is a linear layer to be solved.
type LinearFit struct {
	Layer  int
	Name   string // its stored tensor
	Adds   bool   // it adds to the stream
	Gap    bool   // a gap lies behind it
	Weight []float32
	Bias   []float32 // nil: it has none
	Sums   *Gram     // of what its outputs lack
	Held   *Gram     // the same over rows kept apart, to judge a solution by
	// Where a gap lies behind it: the mean length of the dense stream's rows behind the gap, and of the pruned stream's in front of it, before
	// anything is solved.
	Dense, Pruned float64
}

// fitter carries one Fit.
type fitter struct {
	model   *Model
	device  device.Device
	sums    *summer
	fit     Fit
	packing *packing
	batches []batch
	pool    *pool
	repair  *Repair
	target  device.Tensor // the dense stream that the projection in work shall reach; nil for inner layers
	dense   device.Tensor // the dense stream in front of the unit in work
	pruned  device.Tensor // the pruned one
	lengths [2]float64    // of the rows of the dense stream behind the projection in work, and of the pruned one
	gap     bool          // a gap lies behind the half in work
	step    Step
}

// Fit solves the linear layers that stay and gives them as a repair.
func (m *Model) Fit(ctx context.Context, fit Fit) (*Repair, error) {
	m.running.Lock()
	defer m.running.Unlock()
	if err := m.Computable(); err != nil {
		return nil, err
	}
	d, err := m.Device()
	if err != nil {
		return nil, err
	}
	if err := checkVariants([]Drop{fit.Drop}, m.Layers()); err != nil {
		return nil, err
	}
	if len(fit.Drop) == 0 {
		return nil, fmt.Errorf("engine: fit: nothing is dropped")
	}
	sequences := make([]Sequence, len(fit.Sequences))
	for i, s := range fit.Sequences {
		sequences[i] = Sequence{IDs: s.IDs}
	}
	packed, err := pack(sequences, m.Spec)
	if err != nil {
		return nil, err
	}
	f := &fitter{model: m, device: d, fit: fit, packing: packed, repair: m.NewRepair(), sums: &summer{d}}
	if err := f.supported(); err != nil {
		return nil, err
	}
	if d.Info().Compute == device.ComputeBF16 {
		exact, err := device.Open(d.Info().Name, device.Options{Threads: m.options.Threads, Compute: device.ComputeF32, Memory: m.options.Memory})
		if err != nil {
			return nil, fmt.Errorf("engine: fit: sums need products of float32: %w", err)
		}
		defer exact.Close()
		f.sums = &summer{exact}
	}
	if err := m.unchanged(f.run(ctx)); err != nil {
		return nil, err
	}
	return f.repair, nil
}

// supported says what of the model cannot be fitted.
func (f *fitter) supported() error {
	for l := range f.model.Spec.Blocks {
		b := &f.model.Spec.Blocks[l]
		switch {
		case b.PostNorm, b.ResidualNormed:
			return fmt.Errorf("engine: fit: %s: the stream of layer %d is normed, which no projection can repair: %w", f.model.Spec.Family, l, ErrNoFit)
		case b.Parallel:
			return fmt.Errorf("engine: fit: %s: layer %d computes its halves side by side: %w", f.model.Spec.Family, l, ErrNoFit)
		}
	}
	return nil
}

// A half is an attention (even) or an MLP (odd); half 2l+1 is the MLP of layer l.
func (f *fitter) halves() (stay []int) {
	for l := range f.model.Layers() {
		p := f.fit.Drop.of(l)
		if p != Layer && p != Attention {
			stay = append(stay, 2*l)
		}
		if p != Layer && p != MLP {
			stay = append(stay, 2*l+1)
		}
	}
	return stay
}

func (f *fitter) run(ctx context.Context) error {
	spec := f.model.Spec
	rows := f.packing.rows
	// Batches are what is held apart, so there must be some.
	f.batches = f.packing.batches([]int{len(f.packing.groups)}, min(defaultRows, max(rows/16, 1)))
	f.pool = newPool(f.device, 1)
	defer f.pool.close()
	f.dense, f.pruned = f.device.NewTensor(rows, spec.Hidden), f.device.NewTensor(rows, spec.Hidden)
	next := f.device.NewTensor(rows, spec.Hidden)
	defer func() {
		for _, t := range []device.Tensor{f.dense, f.pruned, next} {
			t.Free()
		}
		_ = f.device.Sync() // a walk that ended early may have left a failure behind
	}()
	if err := f.embed(); err != nil {
		return err
	}
	f.copy(f.pruned, f.dense)
	stay := f.halves()
	f.step = Step{Layers: f.model.Layers(), Total: float64(len(stay))}
	behind := stay[0] > 0 // a gap lies before
	at := 0
	if behind { // the pruned stream enters its first unit as it left the embedding, the dense one where that stands
		if err := f.advance(ctx, f.dense, f.dense, 0, stay[0]); err != nil {
			return err
		}
		at = stay[0]
	}
	for k, half := range stay {
		if err := ctx.Err(); err != nil {
			return err
		}
		after := 2 * f.model.Layers()
		if k+1 < len(stay) {
			after = stay[k+1]
		}
		if err := f.advance(ctx, next, f.dense, at, after); err != nil {
			return err
		}
		if after > half+1 || behind && !f.fit.Gaps {
			if err := f.solve(ctx, half, next, behind, after > half+1); err != nil {
				return err
			}
		}
		if err := f.half(f.pruned, f.pruned, half, f.repair.tensors()); err != nil {
			return err
		}
		behind = behind || after > half+1
		f.dense, next, at = next, f.dense, after
		f.step.Layer, f.step.Done = half/2, f.step.Done+1
		f.step.Rows += int64(rows)
		if f.fit.Progress != nil {
			f.fit.Progress(f.step)
		}
	}
	return nil
}

// embed fills the dense stream with what enters layer 0.
func (f *fitter) embed() error {
	spec := &f.model.Spec.Embed
	weights, err := load(f.device, f.model.Tensors, spec.Refs)
	if err != nil {
		return err
	}
	defer weights.release()
	for _, b := range f.batches {
		s := b.spans[0]
		var ids []int32
		for i := s.first; i < s.last; i++ {
			ids = append(ids, f.packing.groups[i].ids...)
		}
		f.forward(b, weights).embed(f.dense.Slice(s.start, s.rows), spec, ids)
		if err := f.device.Sync(); err != nil {
			return err
		}
	}
	return nil
}

func (f *fitter) forward(b batch, weights *layerWeights) *forward {
	return &forward{device: f.device, weights: weights, pool: f.pool, layout: b.layout, positions: b.positions, rows: b.rows}
}

// advance takes a stream through the dense model's halves from..to.
func (f *fitter) advance(ctx context.Context, dst, src device.Tensor, from, to int) error {
	for half := from; half < to; half++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := f.half(dst, src, half, f.model.Tensors); err != nil {
			return err
		}
		src = dst
	}
	return nil
}

// half takes a stream through one half of a layer. Halves side by side read the same input: the second adds itself to what the first left.
func (f *fitter) half(dst, src device.Tensor, half int, tensors weights.Tensors) error {
	block := &f.model.Spec.Blocks[half/2]
	weights, err := load(f.device, tensors, block.Refs)
	if err != nil {
		return err
	}
	defer weights.release()
	for _, b := range f.batches {
		s := b.spans[0]
		fw := f.forward(b, weights)
		y := fw.take(f.model.Spec.Hidden)
		seen := fw.block(y, src.Slice(s.start, s.rows), block, other(half))
		f.copy(dst.Slice(s.start, s.rows), y)
		fw.give(y, seen.attn, seen.mlp, seen.act)
		if err := f.device.Sync(); err != nil {
			return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
		}
	}
	return nil
}

// other is the part of a layer that is left out where only a half is computed.
func other(half int) Part {
	if half%2 == 0 {
		return MLP
	}
	return Attention
}

func (f *fitter) copy(dst, src device.Tensor) {
	f.device.Columns(dst, src, []device.Move{{From: 0, To: 0, Count: src.Cols()}})
}

// linears are what of a half is solved: inner layers that share their input, and the projection that adds to the stream; nil where the half's
// kind has none that this can do.
func (f *fitter) linears(half int) (inner []*arch.Linear, out *arch.Linear, post *arch.NormSpec) {
	b := &f.model.Spec.Blocks[half/2]
	if half%2 == 0 {
		switch m := b.Mixer.(type) {
		case *arch.AttentionSpec:
			return []*arch.Linear{&m.Q, &m.K, &m.V}, &m.O, &b.Post1
		case *arch.LatentSpec:
			return nil, &m.O, &b.Post1
		case *arch.DeltaSpec:
			return nil, &m.O, &b.Post1
		case *arch.ConvolutionSpec:
			return nil, &m.O, &b.Post1
		}
		return nil, nil, nil
	}
	if m, gated := b.MLP.(*arch.GatedSpec); gated {
		inner = []*arch.Linear{&m.Up}
		if m.Gate.Weight.Name != "" {
			inner = append(inner, &m.Gate)
		}
		return inner, &m.Down, &b.Post2
	}
	return nil, nil, nil
}

// solve fits what a half has: its inner layers where a gap lies before it, then its projection. target is the dense stream that it shall reach.
func (f *fitter) solve(ctx context.Context, half int, target device.Tensor, behind, gap bool) error {
	f.gap = gap

	inner, out, post := f.linears(half)
	if out == nil {
		return nil
	}
	if f.fit.Inner && behind && len(inner) > 0 {
		if err := f.sum(ctx, half, inner, func(fw *forward, b batch, wanted []device.Tensor) error {
			// What they say on the dense stream.
			s := b.spans[0]
			dense, err := load(f.device, f.model.Tensors, f.model.Spec.Blocks[half/2].Refs)
			if err != nil {
				return err
			}
			defer dense.release()
			x := f.entering(f.forward(b, dense), f.dense.Slice(s.start, s.rows), half, inner[0])
			defer fw.give(x)
			for i, l := range inner {
				f.device.Product(wanted[i], x, dense.matrices[&l.Weight], dense.vector(&l.Bias))
			}
			return f.device.Sync()
		}, nil); err != nil {
			return err
		}
	}
	f.target = target
	defer func() { f.target = nil }()
	residual := f.model.Spec.Blocks[half/2].Residual
	return f.sum(ctx, half, []*arch.Linear{out}, func(fw *forward, b batch, wanted []device.Tensor) error {
		s := b.spans[0]
		f.device.Add(wanted[0], target.Slice(s.start, s.rows), f.pruned.Slice(s.start, s.rows), -1)
		if residual != 0 && residual != 1 {
			f.device.Scale(wanted[0], 1/residual, nil)
		}
		return nil
	}, post)
}

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
		fw.block(y, x, &f.model.Spec.Blocks[half/2], other(half))
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
	loaded, err := load(f.device, f.repair.tensors(), f.model.Spec.Blocks[layer].Refs)
	if err != nil {
		return err
	}
	defer loaded.release()
	f.lengths = [2]float64{}
	fits := make([]*LinearFit, len(linears))
	for i, l := range linears {
		m := loaded.matrices[&l.Weight]
		fits[i] = &LinearFit{Layer: layer, Name: l.Weight.Name, Adds: post != nil, Gap: f.gap, Sums: newGram(m.In(), m.Out()), Held: newGram(m.In(), m.Out()), Bias: loaded.values[&l.Bias]}
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
		weight, bias, err := f.fit.Solve(ctx, fits[i])
		if err != nil {
			return err
		}
		if weight == nil {
			continue
		}
		if err := f.repair.setRef(&l.Weight, weight); err != nil {
			return err
		}
		if bias != nil {
			if err := f.repair.setRef(&l.Bias, bias); err != nil {
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
	for row := range factors {
		weight := factors[row]
		scale(inputs[row*x.Cols():(row+1)*x.Cols()], weight)
		for i := range lacks {
			out := fits[i].Sums.Out
			scale(lacks[i][row*out:(row+1)*out], weight)
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
			dense, pruned := 0.0, 0.0
			for i, v := range goal[row*hidden : (row+1)*hidden] {
				dense += float64(v) * float64(v)
				without := float64(v) - float64(lacks[0][row*hidden+i])
				pruned += without * without
			}
			f.lengths[0] += math.Sqrt(dense)
			f.lengths[1] += math.Sqrt(pruned)
			by := float32(1 / math.Sqrt(dense/float64(hidden)+1e-20))
			scale(inputs[row*x.Cols():(row+1)*x.Cols()], by)
			for i := range lacks {
				out := fits[i].Sums.Out
				scale(lacks[i][row*out:(row+1)*out], by)
			}
		}
	}
	grams := make([]*Gram, len(fits))
	for i := range fits {
		if grams[i] = fits[i].Sums; f.held(at) {
			grams[i] = fits[i].Held
		}
	}
	return f.sums.add(inputs, b.rows, lacks, grams)
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

// setRef replaces the part of a stored tensor that a reference names by float32 values, the rest staying as it is.
func (r *Repair) setRef(ref *arch.Ref, values []float32) error {
	stored, found := r.tensors().Lookup(ref.Name)
	if !found || ref.Offset != 0 || len(ref.Joined) > 0 || len(stored.Shape) > 2 {
		return fmt.Errorf("engine: fit: %s: cannot be replaced where it is stored", ref.Name)
	}
	count := 1
	for _, n := range stored.Shape {
		count *= n
	}
	all, err := weights.Decode(stored, 0, count)
	if err != nil {
		return err
	}
	in := max(ref.In, 1)
	cols := in
	if ref.Transposed {
		cols = stored.Shape[1]
	}
	at := device.Weight{Segments: ref.Segments}
	for i := range len(values) / in {
		row := at.Row(i)
		for k := range in {
			if ref.Transposed {
				all[k*cols+row] = values[i*in+k]
			} else {
				all[row*cols+k] = values[i*in+k]
			}
		}
	}
	stored.Scales, stored.Type, stored.Data = nil, device.F32, slices.Clone(bytesOf(all))
	r.Set(stored)
	return nil
}
