package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
	"avssnative/failure"
)

// defaultRows is how many rows a block computes together unless told otherwise: enough that packing a weight costs a few per cent of the
// product it is packed for, few enough that the working tensors stay small.
const defaultRows = 2048

// Run walks the sequences through the model, layer by layer, every variant and observer at once.
func (m *Model) Run(ctx context.Context, p Pass) (*Outcome, error) {
	p, err := p.Prepared(ctx) // which walks the model itself
	if err != nil {
		return nil, err
	}
	m.running.Lock()
	defer m.running.Unlock()
	if err := m.Computable(); err != nil {
		return nil, err
	}
	if _, err := m.Device(); err != nil {
		return nil, err
	}
	p.Variants = m.settled(p.Variants)
	var o *Outcome
	if len(m.devices) > 1 && len(p.Sequences) > 1 && p.Trace == nil {
		o, err = m.runSplit(ctx, p)
	} else {
		o, err = m.runOn(ctx, m.devices[0], p)
	}
	if err = m.unchanged(err); err != nil {
		return nil, err
	}
	return o, nil
}

// runOn walks a pass on one device.
func (m *Model) runOn(ctx context.Context, d device.Device, p Pass) (*Outcome, error) {
	variants, which, err := distinct(p, m.Layers())
	if err != nil {
		return nil, err
	}
	if p.Halves {
		if err := m.adds(); err != nil {
			return nil, err
		}
	}
	packed, err := pack(p.Sequences, m.Spec)
	if err != nil {
		return nil, err
	}
	if p, err = p.complete(packed, m.Spec.Hidden); err != nil {
		return nil, err
	}
	needed := p.needed(variants)
	c, err := m.cutOf(d, &p, packed, needed)
	if err != nil {
		return nil, err
	}
	p.Rows = c.rows
	if turns := c.turns(packed, 4*int64(m.Spec.Hidden)*int64(needed)); len(turns) > 1 && p.Trace == nil {
		return m.runInTurns(ctx, d, p, c, turns)
	}
	return m.walked(ctx, d, p, c, packed, variants, which)
}

// walked walks a pass whose hidden tensors fit. which is, of each variant of the pass, its place among the distinct ones.
func (m *Model) walked(ctx context.Context, d device.Device, p Pass, c cut, packed *packing, variants *variantSet, which []int) (*Outcome, error) {
	w := &walker{model: m, device: d, pass: p, cut: c, variants: variants.drops, set: variants, packing: packed, outcome: &Outcome{}}
	w.scores = make([][]SequenceScore, len(variants.drops))
	groups := variants.walks(w.hiddenTensors(), p.Diverge)
	w.countWork(groups)
	seen := false
	for _, group := range groups {
		watch := !seen && group[0] == 0
		seen = seen || watch
		if err := w.walk(ctx, group, watch); err != nil {
			return nil, err
		}
	}
	for _, v := range which {
		w.outcome.Scores = append(w.outcome.Scores, w.scores[v])
	}
	return w.outcome, nil
}

// adds says why halves of layers cannot be measured alone: where the stream is normed on its way, a half does more than add to it.
func (m *Model) adds() error {
	for l := range m.Spec.Blocks {
		if b := &m.Spec.Blocks[l]; b.PostNorm || b.ResidualNormed {
			return failure.Unsupported.Errorf("engine: %s: layer %d norms the residual stream, so that halves of layers cannot be measured apart", m.Spec.Family, l)
		}
	}
	return nil
}

// distinct drops repeated variants; which[i] is where variant i went. Variant 0 stays first.
func distinct(p Pass, layers int) (unique *variantSet, which []int, err error) {
	variants := p.Variants
	if len(variants) == 0 {
		variants = []Drop{nil}
	}
	if err := checkVariants(variants, layers); err != nil {
		return nil, nil, err
	}
	if len(p.Repairs) > len(variants) {
		return nil, nil, fmt.Errorf("engine: %d repairs for %d variants", len(p.Repairs), len(variants))
	}
	type key struct {
		drop   string
		repair *Repair
	}
	unique = &variantSet{layers: layers}
	known := map[key]int{}
	for i, drop := range variants {
		k := key{drop: drop.String()}
		if i < len(p.Repairs) && p.Repairs[i] != nil {
			if k.repair = p.Repairs[i]; k.repair.outside != "" {
				return nil, nil, fmt.Errorf("engine: variant %d: a repair of %s: a pass takes repairs of layers alone", i, k.repair.outside)
			}
		}
		at, found := known[k]
		if !found {
			at = len(unique.drops)
			known[k] = at
			unique.drops, unique.repairs = append(unique.drops, drop), append(unique.repairs, k.repair)
		}
		which = append(which, at)
	}
	return unique, which, nil
}

// complete fills in what the caller left to us and refuses what does not go together.
func (p Pass) complete(packed *packing, hidden int) (Pass, error) {
	if len(p.Eps) == 0 {
		p.Eps = device.DefaultEps
	}
	if len(p.Eps) > device.MaxEps {
		return p, fmt.Errorf("engine: %d thresholds, at most %d", len(p.Eps), device.MaxEps)
	}
	if p.Relative == 0 {
		p.Relative = device.DefaultRelative
	}
	if p.Rows <= 0 {
		p.Rows = defaultRows
	}
	if err := p.checkKnown(packed, hidden); err != nil {
		return p, err
	}
	if p.Overlap < 0 || math.IsNaN(p.Overlap) || p.Overlap > 0 && !p.Diverge {
		return p, fmt.Errorf("engine: overlap at a temperature of %g: want 0 or more, and divergence asked for as well", p.Overlap)
	}
	if len(p.Observe) > 0 || p.Trace != nil {
		for i, s := range p.Sequences {
			if len(s.Branches) > 0 && !s.Silent {
				return p, fmt.Errorf("engine: sequence %d: has branches, so observers cannot be shown it; make it silent", i)
			}
		}
	}
	return p, nil
}

// walker carries one Run.
type walker struct {
	model    *Model
	device   device.Device
	pass     Pass
	cut      cut
	variants []Drop // distinct
	set      *variantSet
	packing  *packing
	scores   [][]SequenceScore
	outcome  *Outcome
	step     Step

	pool   *pool
	shrunk bool // the device could not hold a batch, and batches are smaller from then on
	states []state
	watch  bool // observers and traces see the first state of this walk
}

// emptyScores is an empty score for every sequence.
func (w *walker) emptyScores() []SequenceScore {
	scores := make([]SequenceScore, len(w.pass.Sequences))
	for i, s := range w.pass.Sequences {
		if len(s.Branches) > 0 {
			scores[i].Branches = make([]Score, len(s.Branches))
		}
	}
	return scores
}

// walk takes one group of variants through all layers and the head.
func (w *walker) walk(ctx context.Context, group []int, watch bool) (err error) {
	w.watch = watch && (len(w.pass.Observe) > 0 || w.pass.Trace != nil)
	walked := group
	if w.pass.Known != nil && group[0] == 0 {
		walked = group[1:]
	}
	first := state{variants: walked, groups: w.packing.scoredGroups}
	for _, v := range group { // variant 0 may be walked again, to compare others with it
		w.scores[v] = w.emptyScores()
	}
	rows := w.packing.scored
	if w.watch {
		first.groups, rows = len(w.packing.groups), w.packing.rows
	}
	if rows == 0 {
		return nil
	}
	w.pool = newPool(w.device, min(rows, w.pass.Rows))
	defer func() { w.pool.close() }() // it may be another by then
	if len(walked) > 0 {
		first.hidden = w.device.NewTensor(rows, w.model.Spec.Hidden)
		w.states = []state{first}
	}
	defer func() {
		for _, s := range w.states {
			s.hidden.Free()
		}
		// A walk that ended early may have left a failure behind; it belongs to nobody else.
		if fault := w.device.Sync(); err == nil {
			err = fault
		}
	}()
	if len(walked) > 0 {
		if err := w.embed(ctx); err != nil {
			return err
		}
		if err := w.blocks(ctx); err != nil {
			return err
		}
	}
	if len(walked) < len(group) {
		w.recall()
	}
	return w.head(ctx)
}

// blocks walks all layers. While one is computed the next one's weights are on their way: to a device with memory of its own they are copied.
func (w *walker) blocks(ctx context.Context) error {
	spec, source := w.model.Spec, w.model.Tensors
	var order []int
	for layer := range spec.Blocks {
		if slices.ContainsFunc(w.states[0].variants, func(v int) bool {
			return w.variants[v].of(layer) != Layer || w.set.repairAt(v, layer) != nil
		}) {
			order = append(order, layer)
		}
	}
	resident := w.cut.resident
	_, hosted := w.device.(device.Hosted)
	kept := w.model.holdingsOf(w.device)
	var reading sync.WaitGroup
	defer reading.Wait()
	fetch := func(i int) (*layerWeights, error) {
		if i >= len(order) {
			return nil, nil
		}
		if i+1 < len(order) {
			reading.Wait()
			if coming := order[i+1]; !w.model.stays(coming, resident) && !kept.have(spec.Blocks[coming].Refs) {
				reading.Go(func() { source.Prefetch(names(spec.Blocks[coming].Refs)) })
			}
		}
		return w.model.load(w.device, source, spec.Blocks[order[i]].Refs)
	}
	next, err := fetch(0)
	if err != nil {
		return err
	}
	for i, layer := range order {
		now := next
		if next = nil; !hosted {
			next, err = fetch(i + 1)
		}
		if err == nil {
			w.outcome.WeightBytes += now.bytes
			err = w.layer(ctx, layer, now)
		}
		now.release()
		if !resident {
			source.Discard(now.names)
		}
		if err == nil && hosted {
			next, err = fetch(i + 1)
		}
		if err != nil {
			if next != nil {
				next.release()
			}
			return err
		}
	}
	return nil
}

// layer computes one block, or half of it, for every state that does not leave it out.
func (w *walker) layer(ctx context.Context, layer int, weights *layerWeights) error {
	w.step.Layer = layer
	works, after := w.divide(layer)
	w.states = after
	for _, work := range works {
		with := weights
		block, part := work.repair.block(w.model, layer, work.part)
		if work.part == Layer {
			if err := w.bypass(ctx, layer, work.repair.bypasses[layer], work.moves); err != nil {
				return err
			}
			continue
		}
		if work.repair != nil {
			var err error
			if with, err = w.model.load(w.device, work.repair.tensors(), block.Refs); err != nil {
				return err
			}
		}
		err := w.apply(ctx, layer, block, part, with, work.moves)
		if work.repair != nil {
			with.release()
		}
		if err != nil {
			return err
		}
	}
	if w.watch && w.pass.Trace != nil && w.variants[0].of(layer) != Layer {
		return w.trace(fmt.Sprintf("block.%d", layer))
	}
	return nil
}

// move is what a layer does to a state: it becomes another, or itself.
type move struct{ from, to state }

// work is the moves of a layer that leave out the same part and compute with the same tensors.
type work struct {
	part   Part
	repair *Repair
	moves  []move
}

// divide parts the states by what their variants do with a layer: the moves to be made, in the order in which they may be made, and the
// states there are afterwards. Where no variant leaves the layer out whole, a state's last move is made in place.
func (w *walker) divide(layer int) (works []work, after []state) {
	for _, s := range w.states {
		cohorts := w.set.split(s.variants, layer)
		someStay := slices.ContainsFunc(cohorts, cohort.stays)
		for i, c := range cohorts {
			to := s
			to.variants = c.members
			if to.variants[0] != s.variants[0] { // only the first variant's state walks the prompt groups that are not scored
				to.groups = w.packing.scoredGroups
			}
			stays := c.stays()
			if inPlace := i == len(cohorts)-1 && !someStay; !stays && !inPlace {
				to.hidden = w.device.NewTensor(w.rowsOf(to.groups), w.model.Spec.Hidden)
			}
			after = append(after, to)
			if stays {
				continue
			}
			at := slices.IndexFunc(works, func(k work) bool { return k.part == c.part && k.repair == c.repair })
			if at < 0 {
				at = len(works)
				works = append(works, work{part: c.part, repair: c.repair})
			}
			works[at].moves = append(works[at].moves, move{s, to})
		}
	}
	// A state's moves come in the order of its cohorts.
	slices.SortFunc(works, func(a, b work) int {
		return cmp.Or(rank(a.part)-rank(b.part), w.set.rank(a.repair)-w.set.rank(b.repair))
	})
	slices.SortStableFunc(after, func(a, b state) int { return a.variants[0] - b.variants[0] })
	return works, after
}

// rank is a part's place in the order of moves.
func rank(p Part) int { return slices.Index([]Part{Layer, none, Attention, MLP}, p) }

// apply makes the moves of one layer that leave out one part of it and compute it as one block says.
func (w *walker) apply(ctx context.Context, layer int, block *arch.BlockSpec, part Part, weights *layerWeights, moves []move) error {
	groups := make([]int, len(moves))
	for i, m := range moves {
		groups[i] = m.to.groups
	}
	look := w.watch && len(moves) > 0 && moves[0].to.variants[0] == 0
	watched := newWatched(w, layer, look)
	defer watched.close()
	if err := asked(w.device); err != nil {
		return fmt.Errorf("engine: layer %d: %w", layer, err)
	}
	batches := w.packing.batches(groups, w.pass.Rows)
	queued, rows := 0, 0 // batches on their way, and their rows
	for len(batches) > 0 {
		b := batches[0]
		if err := ctx.Err(); err != nil {
			return err
		}
		before := len(watched.due)
		w.compute(b, block, part, weights, moves, watched)
		err := asked(w.device)
		if err == nil {
			batches, queued, rows = batches[1:], queued+1, rows+b.rows
			if len(batches) > 0 && queues(w.device, queued) {
				continue
			}
			if err = w.device.Sync(); err != nil {
				return fmt.Errorf("engine: layer %d: %w", layer, err)
			}
		} else {
			watched.due = watched.due[:before]
			_ = w.device.Sync() // it is known, and what was asked before is all right
			if batches = w.shrink(err, batches); batches == nil {
				return fmt.Errorf("engine: layer %d: %w", layer, err)
			}
		}
		watched.collect()
		if queued > 0 {
			w.advance(rows)
			queued, rows = 0, 0
		}
	}
	return watched.deliver()
}

// shrink parts batches anew, and all that follow in the walk, where the first has ended in want of memory and a smaller one may not: once a
// walk, and where nothing of the first has reached the states yet, which is so while it is of one state. Otherwise it gives nil. No result
// depends on how rows are batched.
func (w *walker) shrink(err error, batches []batch) (smaller []batch) {
	if w.shrunk || !errors.Is(err, failure.Memory) || len(batches[0].spans) > 1 {
		return nil
	}
	w.shrunk, w.pass.Rows = true, max(batches[0].rows/4, 1)
	for _, b := range batches {
		smaller = append(smaller, w.packing.divide(b, w.pass.Rows)...)
	}
	if smaller[0].rows == batches[0].rows {
		return nil
	}
	w.pool.close() // it may hold tensors without memory
	w.pool = newPool(w.device, w.pass.Rows)
	return smaller
}

// rowsOf is the number of rows of the first prompt groups.
func (w *walker) rowsOf(groups int) int {
	if groups == len(w.packing.groups) {
		return w.packing.rows
	}
	return w.packing.scored
}

// compute applies a block, or half of it, to one batch.
func (w *walker) compute(b batch, block *arch.BlockSpec, part Part, weights *layerWeights, moves []move, watched *watched) {
	hidden := w.model.Spec.Hidden
	f := &forward{device: w.device, weights: weights, pool: w.pool, layout: b.layout, positions: b.positions, rows: b.rows, sums: watched.sums(b)}
	x := moves[b.spans[0].state].from.hidden.Slice(b.spans[0].start, b.spans[0].rows)
	stacked := len(b.spans) > 1
	row := 0
	if stacked {
		x = f.take(hidden)
		for _, s := range b.spans {
			w.copyRows(x.Slice(row, s.rows), moves[s.state].from.hidden.Slice(s.start, s.rows))
			row += s.rows
		}
	}
	y := f.take(hidden)
	seen := f.block(y, x, block, part)
	watched.see(f, b, x, y, seen)
	row = 0
	for _, s := range b.spans {
		w.copyRows(moves[s.state].to.hidden.Slice(s.start, s.rows), y.Slice(row, s.rows))
		row += s.rows
	}
	f.give(y, seen.attn, seen.mlp, seen.act)
	if stacked {
		f.give(x)
	}
}

func (w *walker) copyRows(dst, src device.Tensor) {
	w.device.Columns(dst, src, []device.Move{{From: 0, To: 0, Count: dst.Cols()}})
}

func (w *walker) advance(rows int) {
	w.outcome.Rows += int64(rows)
	w.step.Done += float64(rows)
	w.step.Rows = w.outcome.Rows
	if w.pass.Progress != nil {
		w.pass.Progress(w.step)
	}
}

// notNumbers explains results that are no numbers: by a stored tensor that holds such values, if one does.
func (m *Model) notNumbers(where string) error {
	if name, count := weights.NotNumbers(m.Tensors); name != "" {
		return failure.Corrupt.Errorf("engine: tensor %s: %d of its values are NaN or infinite, so nothing computed from it is a number; the file is damaged",
			name, count)
	}
	return fmt.Errorf("engine: %s: values are NaN though no stored weight is; the computation overflowed; compute f32 may hold it", where)
}
