package engine

import (
	"context"
	"slices"
	"sync"

	"avssnative/engine/device"
)

// A walk takes one group of variants through all layers and the head: a layer's weights are resident, the next one's are being read, and what has
// been computed with is let go.

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

func (w *walker) advance(rows int) {
	w.outcome.Rows += int64(rows)
	w.step.Done += float64(rows)
	w.step.Rows = w.outcome.Rows
	if w.pass.Progress != nil {
		w.pass.Progress(w.step)
	}
}
