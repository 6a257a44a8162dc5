package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/failure"
)

// A layer of a walk: the states divide by what their variants do with it, and each part of it that any of them computes is computed batch by batch.

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
