package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// How a fit solves the output projections of a mixture. An expert's result is multiplied by the routing weight g and added to those of the token's
// other experts, so its projection is fitted on the rows that the router sends to it, of g times its input, to what these rows still lack. Experts
// are solved one after the other, those with most rows first, and what each has made up is taken off what the rows lack before the next: of sums
// there are never more than one expert's, where all of a layer's at once would take the square of their joint width.

// member is an expert of a mixture, or the shared one, with the rows that it is given.
type member struct {
	spec    *arch.GatedSpec
	rows    []int32   // ascending
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
}

// reachMixture fits a mixture's output projections, so that the pruned stream comes to the target.
func (f *fitter) reachMixture(ctx context.Context, half int, spec *arch.ExpertsSpec, target device.Tensor, gap bool) error {
	block := f.block(half)
	loaded, err := f.model.load(f.device, f.repair.tensors(), block.Refs)
	if err != nil {
		return err
	}
	defer f.release(loaded)
	rows, hidden := f.packing.rows, f.model.Spec.Hidden
	m := &mixing{fitter: f, spec: spec, half: half, loaded: loaded, normed: f.device.NewTensor(rows, hidden), lacks: make([]float32, rows*hidden),
		counts: make([]float32, rows), apart: make([]bool, rows), owned: map[string][]byte{}}
	defer m.normed.Free()
	f.lengths = [2]float64{}
	for at, b := range f.batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.look(at, b, target, block); err != nil {
			return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
		}
	}
	members, err := m.members()
	if err != nil {
		return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
	}
	for i, one := range members {
		if err := ctx.Err(); err != nil {
			return err
		}
		last := i == len(members)-1
		if err := m.solve(ctx, one, gap && last, last); err != nil {
			return fmt.Errorf("engine: fit: layer %d: %w", half/2, err)
		}
	}
	return nil
}

// look computes what enters the mixture on a batch's rows, where they are sent, and what its result lacks.
func (m *mixing) look(at int, b batch, target device.Tensor, block *arch.BlockSpec) error {
	s, hidden := b.spans[0], m.model.Spec.Hidden
	fw := m.forward(b, m.loaded)
	x := m.entering(fw, m.pruned.Slice(s.start, s.rows), m.half, &m.spec.Router)
	m.copy(m.normed.Slice(s.start, s.rows), x)
	router := fw.linear(x, &m.spec.Router)
	logits := make([]float32, b.rows*len(m.spec.Experts))
	m.device.Download(logits, router, 0)
	fw.give(router)
	present := fw.experts(m.spec, x)
	fw.give(x, fw.act)
	wanted := fw.take(hidden)
	m.device.Add(wanted, target.Slice(s.start, s.rows), m.pruned.Slice(s.start, s.rows), -1)
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
	lacks, goal := m.lacks[s.start*hidden:(s.start+s.rows)*hidden], make([]float32, b.rows*hidden)
	m.device.Download(lacks, wanted, 0)
	m.device.Download(goal, target.Slice(s.start, s.rows), 0)
	fw.give(wanted, present)
	if err := m.device.Sync(); err != nil {
		return err
	}
	m.logits = append(m.logits, logits...)
	for row := range b.rows {
		by := m.relative(goal[row*hidden:(row+1)*hidden], lacks[row*hidden:(row+1)*hidden])
		if factors != nil {
			by *= factors[row]
		}
		m.counts[s.start+row], m.apart[s.start+row] = by, m.held(at)
	}
	return nil
}

// members are the experts and the shared one, those with most rows first.
func (m *mixing) members() ([]member, error) {
	spec := m.spec
	plan := plan(&spec.Routing, m.logits, m.loaded.values[&spec.Correction], len(spec.Experts))
	m.logits = nil
	var members []member
	for i := range spec.Experts {
		from, to := plan.start[i], plan.start[i+1]
		members = append(members, member{&spec.Experts[i], plan.tokens[from:to], plan.weights[from:to]})
	}
	if spec.Shared != nil {
		all := member{spec.Shared, identity(m.packing.rows), make([]float32, m.packing.rows)}
		for i := range all.weights {
			all.weights[i] = 1
		}
		if spec.SharedGate.Weight.Name != "" {
			for _, b := range m.batches {
				s := b.spans[0]
				fw := m.forward(b, m.loaded)
				gate := fw.linear(m.normed.Slice(s.start, s.rows), &spec.SharedGate)
				m.device.Activate(gate, gate, nil, device.Activation{Kind: device.Sigmoid})
				m.device.Download(all.weights[s.start:s.start+s.rows], gate, 0)
				fw.give(gate)
			}
			if err := m.device.Sync(); err != nil {
				return nil, err
			}
		}
		members = append(members, all)
	}
	slices.SortStableFunc(members, func(a, b member) int { return cmp.Compare(len(b.rows), len(a.rows)) })
	return members, nil
}

// onInput says whether a member's rows are multiplied before they enter it.
func (m *mixing) onInput(one member) bool { return m.spec.Routing.OnInput && one.spec != m.spec.Shared }

// solve fits one member, sets what comes of it, and takes what it makes up off what its rows lack, unless it is the last.
func (m *mixing) solve(ctx context.Context, one member, gap, last bool) error {
	down := &one.spec.Down
	stored, found := m.repair.tensors().Lookup(down.Weight.Name)
	if !found {
		return weights.Missing(m.model.Tensors, down.Weight.Name)
	}
	in, out := down.Weight.In, down.Weight.Out
	rows := float64(m.packing.rows)
	fit := &LinearFit{Layer: m.half / 2, Name: down.Weight.Name, Adds: true, Gap: gap, Expert: true, Type: stored.Type,
		Bias: m.loaded.values[&down.Bias], Sums: newGrams(in, out)[0], Held: newGrams(in, out)[0],
		Dense: m.lengths[0] / rows, Pruned: m.lengths[1] / rows}
	if fit.Bias != nil {
		fit.Sums.withBias()
		fit.Held.withBias()
	}
	for _, kept := range []bool{false, true} {
		gram := fit.Sums
		if kept {
			gram = fit.Held
		}
		if err := m.chunks(one, func(row int32) bool { return m.apart[row] == kept }, func(rows []int32, by []float32, act device.Tensor) error {
			return m.add(gram, rows, by, act)
		}); err != nil {
			return err
		}
	}
	var err error
	if fit.Weight, err = m.values(down); err != nil {
		return err
	}
	before, bias := fit.Weight, fit.Bias
	solved, err := m.fit.Solve(ctx, fit)
	if err != nil || solved == nil {
		return err
	}
	if err := m.set(down, solved); err != nil || last {
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
		shift = make([]float32, out)
		for i := range shift {
			shift[i] = now[i] - bias[i]
		}
	}
	return m.makeUp(one, change, shift)
}

// chunks computes what enters a member's output projection on those of its rows that are wanted, some at a time, and visits it. by is what the result
// of each row is multiplied by.
func (m *mixing) chunks(one member, wanted func(row int32) bool, visit func(rows []int32, by []float32, act device.Tensor) error) error {
	var rows []int32
	var by []float32
	flush := func() error {
		n := len(rows)
		if n == 0 {
			return nil
		}
		fw := &forward{device: m.device, weights: m.loaded, pool: m.pool, rows: n}
		in, act := fw.take(m.normed.Cols()), fw.take(one.spec.Down.Weight.In)
		defer fw.give(in, act)
		m.device.Gather(in, m.normed, rows)
		if m.onInput(one) {
			m.device.Scale(in, 1, by)
			by = slices.Repeat([]float32{1}, n)
		}
		fw.activated(one.spec, act, in)
		err := visit(rows, by, act)
		rows, by = rows[:0], by[:0]
		return err
	}
	most := m.batchRows()
	for i, row := range one.rows {
		if !wanted(row) {
			continue
		}
		rows, by = append(rows, row), append(by, one.weights[i])
		if len(rows) == most {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
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
	return m.chunks(one, func(int32) bool { return true }, func(rows []int32, by []float32, act device.Tensor) error {
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
