package engine

import (
	"context"
	"errors"
	"fmt"

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
	// Linear puts linear maps in the place of attentions that go alone, and has them solved beside the layers that stay: each is to bring the
	// stream to where the dense one is behind its attention. LinearAlone has nothing else solved.
	Linear, LinearAlone bool
	// Solve is given each linear layer and returns what shall be in its place; nil leaves it as it is.
	Solve    func(ctx context.Context, l *LinearFit) (*Solution, error)
	Progress func(Step)
}

// ErrNoFit is of models whose layers cannot be fitted in this way.
var ErrNoFit = errors.New("not supported")

// LinearFit is a linear layer to be solved.
type LinearFit struct {
	Layer  int
	Name   string       // its stored tensor
	Adds   bool         // it adds to the stream
	Gap    bool         // a gap lies behind it
	Linear bool         // it is a linear map in the place of an attention; its weight is zeros until it is solved, as it stays if it is not
	Expert bool         // it is of a mixture's expert, or the shared one: its rows are those that the router sends there, times the routing weight
	Type   device.DType // that it is stored in
	Weight []float32
	Bias   []float32 // nil: it has none
	Sums   *Gram     // of what its outputs lack
	Held   *Gram     // the same over rows kept apart, to judge a solution by
	// Where a gap lies behind it: the mean length of the dense stream's rows behind the gap, and of the pruned stream's in front of it, before
	// anything is solved.
	Dense, Pruned float64
}

// Solution is what a linear layer becomes. Layers behind it are computed with what it says, rounding and all.
type Solution struct {
	Weight []float32 // [Out × In]
	Rows   []byte    // in Weight's place: its rows in the type that the layer is stored in
	Bias   []float32 // [Out]; nil: it stays
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

	discards bool // a half's weights are unmapped when it is done
}

// batchRows is how many rows a batch has; batches are what is held apart, so there must be some.
func (f *fitter) batchRows() int { return min(defaultRows, max(f.packing.rows/16, 1)) }

// release gives weights back.
func (f *fitter) release(w *layerWeights) {
	w.release()
	if f.discards {
		f.model.Tensors.Discard(w.names)
	}
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
	f := &fitter{model: m, device: d, fit: fit, packing: packed, repair: m.NewRepair(), sums: &summer{device: d}}
	if err := m.Fittable(); err != nil {
		return nil, err
	}
	if c := d.Info().Compute; c == device.ComputeBF16 || c == device.ComputeInt8 {
		exact, err := device.Open(d.Info().Name, device.Options{Threads: m.options.Threads, Compute: device.ComputeF32, Memory: m.options.Memory})
		if err != nil {
			return nil, fmt.Errorf("engine: fit: sums need products of float32: %w", err)
		}
		defer exact.Close()
		f.sums = &summer{device: exact}
	}
	if r := m.room(d); r != nil {
		f.discards = true
	}
	if err := m.unchanged(f.run(ctx)); err != nil {
		return nil, err
	}
	return f.repair, nil
}

// Takes is what a fit takes at most beside what the process holds, where that is bounded and the device computes in its memory, and what of it the
// repair keeps: three streams, or five where there are mixtures, the tensors of a batch, what has been solved, and the sums and matrices of the
// layer that takes the most.
func (m *Model) Takes(fit Fit) (most, kept int64, err error) {
	d, err := m.Device()
	if err != nil {
		return 0, 0, err
	}
	if _, hosted := d.(device.Hosted); !hosted || m.options.Memory <= 0 {
		return 0, 0, nil
	}
	sequences := make([]Sequence, len(fit.Sequences))
	rows := 0
	for i, s := range fit.Sequences {
		sequences[i] = Sequence{IDs: s.IDs}
		rows = max(rows, len(s.IDs))
	}
	packed, err := pack(sequences, m.Spec)
	if err != nil {
		return 0, 0, err
	}
	f := &fitter{model: m, device: d, fit: fit, packing: packed, repair: m.NewRepair()}
	rows = max(rows, f.batchRows())
	work, err := m.working(d, rows)
	if err != nil {
		return 0, 0, err
	}
	solving, streams, counted := int64(0), int64(3), map[string]bool{}
	f.solved(func(mixed bool, linears ...*arch.Linear) {
		solving = max(solving, solvingBytes(rows, linears...))
		for _, l := range linears {
			stored, _ := m.Tensors.Lookup(l.Weight.Name)
			bytes := int64(len(stored.Data))
			switch {
			case mixed: // solved in its type, and many may lie in one tensor
				streams = 5 // what enters the mixture, and what its result lacks
				if counted[l.Weight.Name] {
					bytes = 0
				}
				counted[l.Weight.Name] = true
			case !weights.HasCodes(stored.Type): // solved in float32
				bytes += 4 * int64(l.Weight.In) * int64(l.Weight.Out)
			}
			kept += bytes
		}
	})
	return streams*4*int64(packed.rows)*int64(m.Spec.Hidden) + m.mappedAtATime() + work + solving + kept, kept, nil
}

// solved visits the linear layers that a fit solves, those with one input together; mixed: one of a mixture.
func (f *fitter) solved(visit func(mixed bool, linears ...*arch.Linear)) {
	stay := f.halves()
	behind := len(stay) > 0 && f.gone(0, stay[0])
	for k, half := range stay {
		after := 2 * f.model.Layers()
		if k+1 < len(stay) {
			after = stay[k+1]
		}
		gap := f.gone(half+1, after)
		inner, out, _ := f.linears(half)
		mixture := f.mixture(half)
		if !f.fit.LinearAlone && (gap || behind && !f.fit.Gaps) {
			if f.fit.Inner && behind && len(inner) > 0 {
				visit(false, inner...)
			}
			if out != nil {
				visit(false, out)
			}
			if mixture != nil {
				for i := range mixture.Experts {
					visit(true, &mixture.Experts[i].Down)
				}
				if mixture.Shared != nil {
					visit(true, &mixture.Shared.Down)
				}
			}
		}
		behind = behind || gap
	}
}

// solvingBytes is what it takes to sum up linear layers with one input over batches of so many rows and to solve one after the other: they share
// the sums of the input, and those kept apart; a solution has three more matrices of the inputs at a time, and as many of the outputs. A quarter
// is what has not been collected.
func solvingBytes(rows int, linears ...*arch.Linear) int64 {
	in := int64(linears[0].Weight.In)
	bytes, most := 16*in*in, int64(0)
	for _, l := range linears {
		out := int64(l.Weight.Out)
		bytes += 16 * in * out
		matrices := int64(3)
		if l.Bias.Name != "" {
			matrices = 4 // sums of rows without their mean
		}
		most = max(most, 8*in*matrices*(in+out))
		bytes += 8 * int64(rows) * (in + 2*out)
	}
	return (bytes + most) * 5 / 4
}

// Fittable says why the model's layers cannot be solved anew whatever is dropped, wrapping ErrNoFit; nil: they can.
func (m *Model) Fittable() error {
	for l := range m.Spec.Blocks {
		b := &m.Spec.Blocks[l]
		switch {
		case b.PostNorm, b.ResidualNormed:
			return fmt.Errorf("engine: fit: %s: the stream of layer %d is normed, which no projection can repair: %w", m.Spec.Family, l, ErrNoFit)
		case b.Parallel:
			return fmt.Errorf("engine: fit: %s: layer %d computes its halves side by side: %w", m.Spec.Family, l, ErrNoFit)
		}
	}
	return nil
}

// A half is an attention (even) or an MLP (odd); half 2l+1 is the MLP of layer l.
func (f *fitter) halves() (stay []int) {
	for half := range 2 * f.model.Layers() {
		if u := Half(half); f.model.Has(u) && (!f.fit.Drop.Has(u) || f.linear(half)) {
			stay = append(stay, half)
		}
	}
	return stay
}

// gone says whether the model has any of the halves from..to, all of which are dropped.
func (f *fitter) gone(from, to int) bool {
	for half := from; half < to; half++ {
		if f.model.Has(Half(half)) {
			return true
		}
	}
	return false
}

func (f *fitter) run(ctx context.Context) error {
	spec := f.model.Spec
	rows := f.packing.rows
	f.batches = f.packing.batches([]int{len(f.packing.groups)}, f.batchRows())
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
	if len(stay) == 0 {
		return fmt.Errorf("engine: fit: %s: no half stays", f.fit.Drop)
	}
	behind := f.gone(0, stay[0]) // a gap lies before
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
		gap := f.gone(half+1, after)
		linear := f.linear(half)
		switch {
		case linear:
			if err := f.solveLinear(ctx, half, next, gap); err != nil {
				return err
			}
		case f.fit.LinearAlone:
		case gap || behind && !f.fit.Gaps:
			if err := f.solve(ctx, half, next, behind, gap); err != nil {
				return err
			}
		}
		if err := f.half(f.pruned, f.pruned, half, f.block(half), f.repair.tensors()); err != nil {
			return err
		}
		behind = behind || gap || linear
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
	weights, err := f.model.load(f.device, f.model.Tensors, spec.Refs)
	if err != nil {
		return err
	}
	defer f.release(weights)
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
		if err := f.half(dst, src, half, &f.model.Spec.Blocks[half/2], f.model.Tensors); err != nil {
			return err
		}
		src = dst
	}
	return nil
}

// half takes a stream through one half of a layer. Halves side by side read the same input: the second adds itself to what the first left.
func (f *fitter) half(dst, src device.Tensor, half int, block *arch.BlockSpec, tensors weights.Tensors) error {
	weights, err := f.model.load(f.device, tensors, block.Refs)
	if err != nil {
		return err
	}
	defer f.release(weights)
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
		case *arch.LinearSpec:
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

// mixture is the mixture of experts that a half is, whose projections are solved; nil: it is none, or a gap's one projection is wanted.
func (f *fitter) mixture(half int) *arch.ExpertsSpec {
	e, _ := f.model.Spec.Blocks[half/2].MLP.(*arch.ExpertsSpec)
	if half%2 == 0 || f.fit.Gaps {
		return nil
	}
	return e
}

// solve fits what a half has: its inner layers where a gap lies before it, then its projection. target is the dense stream that it shall reach.
func (f *fitter) solve(ctx context.Context, half int, target device.Tensor, behind, gap bool) error {
	f.gap = gap
	if e := f.mixture(half); e != nil {
		return f.reachMixture(ctx, half, e, target, gap)
	}
	inner, out, post := f.linears(half)
	if out == nil {
		return nil
	}
	if f.fit.Inner && behind && len(inner) > 0 {
		dense, err := f.model.load(f.device, f.model.Tensors, f.model.Spec.Blocks[half/2].Refs)
		if err != nil {
			return err
		}
		defer f.release(dense)
		if err := f.sum(ctx, half, inner, func(fw *forward, b batch, wanted []device.Tensor) error {
			// What they say on the dense stream.
			s := b.spans[0]
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
	return f.reach(ctx, half, out, target, post)
}

// reach fits a projection that adds to the stream, so that the pruned stream comes to the target.
func (f *fitter) reach(ctx context.Context, half int, out *arch.Linear, target device.Tensor, post *arch.NormSpec) error {
	f.target = target
	defer func() { f.target = nil }()
	residual := f.block(half).Residual
	return f.sum(ctx, half, []*arch.Linear{out}, func(fw *forward, b batch, wanted []device.Tensor) error {
		s := b.spans[0]
		f.device.Add(wanted[0], target.Slice(s.start, s.rows), f.pruned.Slice(s.start, s.rows), -1)
		if residual != 0 && residual != 1 {
			f.device.Scale(wanted[0], 1/residual, nil)
		}
		return nil
	}, post)
}
