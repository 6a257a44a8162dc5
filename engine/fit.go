package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"avssnative/engine/device"
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
	// Lengths has nothing summed up: of a layer in front of a gap Solve is given how long the streams' rows are, and no sums.
	Lengths bool
	// Joint shares the sums with other processes that make the same fit; nil: there are none.
	Joint Joint
	// State points to what Solve goes on from between two layers, as JSON carries it: it is kept beside what has been solved with others. May be nil.
	State any
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
	batches []batch // that are walked: those of the own leaves
	from    int     // the first of these among all of the text's, of which there are count
	count   int
	start   int // the first of their rows among all
	rows    int // their rows
	leaves  []leaf
	own     []leaf
	pool    *pool
	repair  *Repair
	target  device.Tensor // the dense stream that the projection in work shall reach; nil for inner layers
	dense   device.Tensor // the dense stream in front of the unit in work
	pruned  device.Tensor // the pruned one
	gap     bool          // a gap lies behind the half in work
	step    Step

	walks   bool // streams are walked: something is summed up here
	repeats bool // what has been settled with others is repeated, as far as that goes
	steps   int  // that have been settled with others

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
	if err := m.Fittable(); err != nil {
		return nil, err
	}
	f := &fitter{model: m, fit: fit, packing: packed, repair: m.NewRepair()}
	f.share()
	if fit.Joint == nil || !fit.Joint.Merges() {
		done, err := f.open()
		if err != nil {
			return nil, err
		}
		defer done()
	}
	if err := m.unchanged(f.run(ctx)); err != nil {
		return nil, err
	}
	return f.repair, nil
}

// share finds what of the text this process walks.
func (f *fitter) share() {
	all := f.packing.batches([]int{len(f.packing.groups)}, f.batchRows())
	f.count, f.leaves = len(all), leavesOf(len(all))
	f.own = f.leaves
	if f.fit.Joint != nil {
		if f.own = nil; !f.fit.Joint.Merges() {
			index, count := f.fit.Joint.Part()
			f.own = ofPart(f.leaves, index, count)
		}
	}
	if len(f.own) == 0 {
		return
	}
	f.from = f.own[0].first
	f.batches = all[f.from:f.own[len(f.own)-1].end]
	f.start = f.batches[0].spans[0].start
	for _, b := range f.batches {
		f.rows += b.rows
	}
}

// open opens what is computed on.
func (f *fitter) open() (done func(), err error) {
	d, err := f.model.Device()
	if err != nil {
		return nil, err
	}
	done = func() {}
	f.device, f.sums = d, &summer{device: d}
	f.discards = f.model.room(d) != nil
	if c := d.Info().Compute; c == device.ComputeBF16 || c == device.ComputeInt8 {
		o := f.model.options
		exact, err := device.Open(d.Info().Name, device.Options{Threads: o.Threads, Compute: device.ComputeF32, Memory: o.Memory})
		if err != nil {
			return nil, fmt.Errorf("engine: fit: sums need products of float32: %w", err)
		}
		done, f.sums = func() { exact.Close() }, &summer{device: exact}
	}
	return done, nil
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

// run makes the fit. With others what they have settled is repeated first: only where something is missing there are streams walked.
func (f *fitter) run(ctx context.Context) error {
	joint := f.fit.Joint
	if joint == nil {
		f.walks = true
		return f.halfByHalf(ctx)
	}
	if joint.Merges() {
		return f.halfByHalf(ctx)
	}
	begin, err := json.Marshal(f.fit.State)
	if err != nil {
		return fmt.Errorf("engine: fit: %w", err)
	}
	f.repeats = true
	if err := f.halfByHalf(ctx); !errors.Is(err, errUnknown) {
		return err
	}
	if f.fit.State != nil {
		if err := json.Unmarshal(begin, f.fit.State); err != nil {
			return fmt.Errorf("engine: fit: %w", err)
		}
	}
	f.repair, f.steps, f.repeats, f.walks = f.model.NewRepair(), 0, false, len(f.own) > 0
	return f.halfByHalf(ctx)
}

// halfByHalf goes through the halves that stay, and has solved what of them is.
func (f *fitter) halfByHalf(ctx context.Context) error {
	stay := f.halves()
	f.step = Step{Layers: f.model.Layers(), Total: float64(len(stay))}
	if len(stay) == 0 {
		return fmt.Errorf("engine: fit: %s: no half stays", f.fit.Drop)
	}
	var next device.Tensor
	if f.walks {
		var end func()
		var err error
		if next, end, err = f.enter(); err != nil {
			return err
		}
		defer end()
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
		f.advanced(half)
	}
	return nil
}

// advanced tells how far the walk has come.
func (f *fitter) advanced(half int) {
	f.step.Layer, f.step.Done = half/2, f.step.Done+1
	f.step.Rows += int64(f.rows)
	if f.fit.Progress != nil && f.walks {
		f.fit.Progress(f.step)
	}
}
