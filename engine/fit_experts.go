package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/failure"
)

// How a fit solves the output projections of a mixture. An expert's result is multiplied by the routing weight g and added to those of the token's
// other experts, so its projection is fitted on the rows that the router sends to it, of g times its input, to what these rows still lack. Experts
// are solved one after the other, those with most rows first, and what each has made up is taken off what the rows lack before the next: of sums
// there are never more than one expert's, where all of a layer's at once would take the square of their joint width.

// member is an expert of a mixture, or the shared one, with the rows that it is given.
type member struct {
	spec    *arch.GatedSpec
	rows    []int32   // of those that are walked, ascending
	weights []float32 // by which its result is multiplied; its input, where the routing is on the input
}

// mixing is one mixture in work.
type mixing struct {
	*fitter
	spec   *arch.ExpertsSpec
	half   int
	loaded *layerWeights
	normed device.Tensor // what enters router and experts, [rows × hidden]
	lacks  []float32     // what the mixture's result lacks, [rows × hidden]
	counts []float32     // by how much each row's errors count
	apart  []bool        // rows that are kept apart
	logits []float32     // the router's, [rows × experts]
	owned  map[string][]byte

	ofBatch [][2]float64 // the lengths of each batch's rows
	lengths [2]float64   // of all rows of the text
}

// reachMixture fits a mixture's output projections, so that the pruned stream comes to the target.
func (f *fitter) reachMixture(ctx context.Context, half int, spec *arch.ExpertsSpec, target device.Tensor, gap bool) error {
	m := &mixing{fitter: f, spec: spec, half: half, owned: map[string][]byte{}}
	if f.walks {
		loaded, err := f.model.load(f.device, f.repair.tensors(), f.block(half).Refs)
		if err != nil {
			return err
		}
		defer f.release(loaded)
		rows, hidden := f.rows, f.model.Spec.Hidden
		m.loaded, m.normed, m.lacks = loaded, f.device.NewTensor(rows, hidden), make([]float32, rows*hidden)
		m.counts, m.apart = make([]float32, rows), make([]bool, rows)
		defer m.normed.Free()
		for i, b := range f.batches {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := m.look(f.from+i, b, target, f.block(half)); err != nil {
				return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
			}
		}
	}
	members, err := m.members()
	if err != nil {
		return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
	}
	var order []int
	if f.fit.Lengths && !gap { // there is nothing to be known
		for i := range members {
			order = append(order, i)
		}
	} else if order, err = m.order(ctx, members); err != nil {
		return err
	}
	for i, which := range order {
		if err := ctx.Err(); err != nil {
			return err
		}
		last := i == len(members)-1
		if err := m.solve(ctx, members[which], gap && last, last); err != nil {
			return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
		}
	}
	return nil
}

// order is in which order the members are solved: those with most rows of all the text first. It finds the lengths too.
func (m *mixing) order(ctx context.Context, members []member) ([]int, error) {
	s := &step{shape: shape{counts: len(members)}, products: func(leaf, bool) int { return 0 }}
	s.gather = func(run leaf, into *sums) error {
		for at := run.first; at < run.end; at++ {
			for i, v := range m.ofBatch[at-m.from] {
				into.lengths[i] += v
			}
		}
		for i, one := range members {
			into.counts[i] = int64(len(m.inRun(one, run)))
		}
		return nil
	}
	s.finish = func(total *sums) (*settled, error) {
		order := make([]int, len(members))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(total.counts[b], total.counts[a]) })
		return &settled{order: order, lengths: total.lengths}, nil
	}
	got, err := m.settle(ctx, s)
	if err != nil {
		return nil, err
	}
	for i, n := range slices.Sorted(slices.Values(got.order)) {
		if i != n || len(got.order) != len(members) {
			return nil, failure.Corrupt.Errorf("engine: fit: layer %d: experts in the order %v: want %d", m.half/2, got.order, len(members))
		}
	}
	m.lengths = got.lengths
	return got.order, nil
}

// inRun are the places in a member's list of the rows that lie in a run of batches.
func (m *mixing) inRun(one member, run leaf) []int32 {
	first := m.batches[run.first-m.from].spans[0].start - m.start
	last := m.batches[run.end-1-m.from].spans[0]
	from, _ := slices.BinarySearch(one.rows, int32(first))
	to, _ := slices.BinarySearch(one.rows, int32(last.start+last.rows-m.start))
	places := make([]int32, to-from)
	for i := range places {
		places[i] = int32(from + i)
	}
	return places
}

// look computes what enters the mixture on a batch's rows, where they are sent, and what its result lacks.
func (m *mixing) look(at int, b batch, target device.Tensor, block *arch.BlockSpec) error {
	first, hidden := b.spans[0].start-m.start, m.model.Spec.Hidden
	fw := m.forward(b, m.loaded)
	x := m.entering(fw, m.of(m.pruned, b), m.half, &m.spec.Router)
	m.copy(m.of(m.normed, b), x)
	router := fw.linear(x, &m.spec.Router)
	logits := make([]float32, b.rows*len(m.spec.Experts))
	m.device.Download(logits, router, 0)
	fw.give(router)
	present := fw.experts(m.spec, x)
	fw.give(x, fw.act)
	wanted := fw.take(hidden)
	m.device.Add(wanted, m.of(target, b), m.of(m.pruned, b), -1)
	if r := block.Residual; r != 0 && r != 1 {
		m.device.Scale(wanted, 1/r, nil)
	}
	var factors []float32
	if block.Post2.Kind != device.NormNone {
		var err error
		if factors, err = m.unnorm(fw, wanted, present, &block.Post2); err != nil {
			return err
		}
	}
	m.device.Add(wanted, wanted, present, -1)
	lacks, goal := m.lacks[first*hidden:(first+b.rows)*hidden], make([]float32, b.rows*hidden)
	m.device.Download(lacks, wanted, 0)
	m.device.Download(goal, m.of(target, b), 0)
	fw.give(wanted, present)
	if err := m.device.Sync(); err != nil {
		return err
	}
	m.logits = append(m.logits, logits...)
	var lengths [2]float64
	for row := range b.rows {
		by := relative(goal[row*hidden:(row+1)*hidden], lacks[row*hidden:(row+1)*hidden], &lengths)
		if factors != nil {
			by *= factors[row]
		}
		m.counts[first+row], m.apart[first+row] = by, m.held(at)
	}
	m.ofBatch = append(m.ofBatch, lengths)
	return nil
}

// members are the experts and the shared one, each with those of the rows walked that it is given.
func (m *mixing) members() ([]member, error) {
	spec := m.spec
	members := make([]member, len(spec.Experts), len(spec.Experts)+1)
	for i := range spec.Experts {
		members[i].spec = &spec.Experts[i]
	}
	if spec.Shared != nil {
		members = append(members, member{spec: spec.Shared})
	}
	if !m.walks {
		return members, nil
	}
	plan := plan(&spec.Routing, m.logits, m.loaded.values[&spec.Correction], len(spec.Experts))
	m.logits = nil
	for i := range spec.Experts {
		from, to := plan.start[i], plan.start[i+1]
		members[i].rows, members[i].weights = plan.tokens[from:to], plan.weights[from:to]
	}
	if spec.Shared == nil {
		return members, nil
	}
	all := &members[len(spec.Experts)]
	all.rows, all.weights = identity(m.rows), slices.Repeat([]float32{1}, m.rows)
	if spec.SharedGate.Weight.Name != "" {
		for _, b := range m.batches {
			first := b.spans[0].start - m.start
			fw := m.forward(b, m.loaded)
			gate := fw.linear(m.of(m.normed, b), &spec.SharedGate)
			m.device.Activate(gate, gate, nil, device.Activation{Kind: device.Sigmoid})
			m.device.Download(all.weights[first:first+b.rows], gate, 0)
			fw.give(gate)
		}
		if err := m.device.Sync(); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// onInput says whether a member's rows are multiplied before they enter it.
func (m *mixing) onInput(one member) bool { return m.spec.Routing.OnInput && one.spec != m.spec.Shared }

// solve fits one member, sets what comes of it, and takes what it makes up off what its rows lack, unless it is the last.
func (m *mixing) solve(ctx context.Context, one member, gap, last bool) error {
	down := &one.spec.Down
	before, err := m.values(down)
	if err != nil {
		return err
	}
	var bias []float32
	if down.Bias.Name != "" {
		if bias, err = down.Bias.Values(m.repair.tensors()); err != nil {
			return err
		}
	}
	s := m.step(ctx, one, before, bias, gap)
	var got *settled
	if m.fit.Lengths {
		s.in = 0
		got, err = s.finish(s.sums())
	} else {
		got, err = m.settle(ctx, s)
	}
	if err != nil {
		return err
	}
	solved, err := fitting(down, got.solutions, 0)
	if err != nil || solved == nil {
		return err
	}
	if err := m.set(down, solved); err != nil || last || !m.walks || m.fit.Lengths {
		return err
	}
	after, err := m.values(down)
	if err != nil {
		return err
	}
	change := make([]float32, len(after))
	for i := range change {
		change[i] = after[i] - before[i]
	}
	var shift []float32
	if solved.Bias != nil {
		now, err := down.Bias.Values(m.repair.tensors())
		if err != nil {
			return err
		}
		shift = make([]float32, len(now))
		for i := range shift {
			shift[i] = now[i] - bias[i]
		}
	}
	return m.makeUp(one, change, shift)
}

// step is the sums of one member, and how it is solved from them.
func (m *mixing) step(ctx context.Context, one member, weight, bias []float32, gap bool) *step {
	down := &one.spec.Down
	s := &step{shape: shape{in: down.Weight.In, outs: []int{down.Weight.Out}, biases: []bool{bias != nil}}}
	places := func(run leaf, kept bool) []int32 {
		return slices.DeleteFunc(m.inRun(one, run), func(at int32) bool { return m.apart[one.rows[at]] != kept })
	}
	s.products = func(run leaf, kept bool) int {
		most := m.batchRows()
		return (len(places(run, kept)) + most - 1) / most
	}
	s.gather = func(run leaf, into *sums) error {
		for _, kept := range []bool{false, true} {
			gram := into.fitted[0]
			if kept {
				gram = into.held[0]
			}
			if err := m.chunks(one, places(run, kept), func(rows []int32, by []float32, act device.Tensor) error {
				return m.add(gram, rows, by, act)
			}); err != nil {
				return err
			}
		}
		return nil
	}
	s.finish = func(total *sums) (*settled, error) {
		stored, found := m.repair.tensors().Lookup(down.Weight.Name)
		if !found {
			return nil, weights.Missing(m.model.Tensors, down.Weight.Name)
		}
		rows := float64(m.packing.rows)
		solved, err := m.fit.Solve(ctx, &LinearFit{Layer: m.half / 2, Name: down.Weight.Name, Adds: true, Gap: gap, Expert: true, Type: stored.Type,
			Weight: weight, Bias: bias, Sums: total.fitted[0], Held: total.held[0], Dense: m.lengths[0] / rows, Pruned: m.lengths[1] / rows})
		return &settled{solutions: []*Solution{solved}}, err
	}
	return s
}

// chunks computes what enters a member's output projection on the rows at some places of its list, some at a time, and visits it. by is what the
// result of each row is multiplied by.
func (m *mixing) chunks(one member, places []int32, visit func(rows []int32, by []float32, act device.Tensor) error) error {
	for part := range slices.Chunk(places, m.batchRows()) {
		rows, by := make([]int32, len(part)), make([]float32, len(part))
		for i, at := range part {
			rows[i], by[i] = one.rows[at], one.weights[at]
		}
		if err := m.chunk(one, rows, by, visit); err != nil {
			return err
		}
	}
	return nil
}

func (m *mixing) chunk(one member, rows []int32, by []float32, visit func(rows []int32, by []float32, act device.Tensor) error) error {
	fw := &forward{device: m.device, weights: m.loaded, pool: m.pool, rows: len(rows)}
	in, act := fw.take(m.normed.Cols()), fw.take(one.spec.Down.Weight.In)
	defer fw.give(in, act)
	m.device.Gather(in, m.normed, rows)
	if m.onInput(one) {
		m.device.Scale(in, 1, by)
		by = slices.Repeat([]float32{1}, len(rows))
	}
	fw.activated(one.spec, act, in)
	return visit(rows, by, act)
}

// add sums some rows of a member.
func (m *mixing) add(to *Gram, rows []int32, by []float32, act device.Tensor) error {
	inputs, wanted, counts := make([]float32, len(rows)*to.In), make([]float32, len(rows)*to.Out), make([]float32, len(rows))
	m.device.Download(inputs, act, 0)
	if err := m.device.Sync(); err != nil {
		return err
	}
	for i, row := range rows {
		count := m.counts[row]
		counts[i] = count * by[i]
		scale(inputs[i*to.In:(i+1)*to.In], counts[i])
		copy(wanted[i*to.Out:], m.lacks[int(row)*to.Out:(int(row)+1)*to.Out])
		scale(wanted[i*to.Out:(i+1)*to.Out], count)
	}
	if to.E == nil {
		counts = nil
	}
	return m.sums.add(inputs, len(rows), [][]float32{wanted}, counts, []*Gram{to})
}

// makeUp takes what a change of a member's projection adds to its rows off what they lack.
func (m *mixing) makeUp(one member, change, shift []float32) error {
	down := &one.spec.Down.Weight
	matrix, err := m.device.Matrix(device.Weight{Name: down.Name, Type: device.F32, Data: bytesOf(change), Out: down.Out, In: down.In, Stride: down.In})
	if err != nil {
		return err
	}
	defer matrix.Release()
	return m.chunks(one, identity(len(one.rows)), func(rows []int32, by []float32, act device.Tensor) error {
		out := m.pool.take(len(rows), down.Out)
		defer m.pool.give(out)
		added := make([]float32, len(rows)*down.Out)
		m.device.Product(out, act, matrix, nil)
		m.device.Download(added, out, 0)
		if err := m.device.Sync(); err != nil {
			return err
		}
		for i, row := range rows {
			lacks := m.lacks[int(row)*down.Out : (int(row)+1)*down.Out]
			for k := range lacks {
				v := added[i*down.Out+k]
				if shift != nil {
					v += shift[k]
				}
				lacks[k] -= by[i] * v
			}
		}
		return nil
	})
}

// set puts a solution in the place of a member's projection, in the type that it is stored in: experts may lie in one tensor, of which nothing
// else changes.
func (m *mixing) set(l *arch.Linear, solved *Solution) error {
	if solved.Rows != nil {
		if err := m.repair.setPart(m.owned, &l.Weight, solved.Rows); err != nil {
			return err
		}
	} else if err := m.repair.setValues(m.owned, &l.Weight, solved.Weight); err != nil {
		return err
	}
	if solved.Bias == nil {
		return nil
	}
	return m.repair.setValues(m.owned, &l.Bias, solved.Bias)
}
