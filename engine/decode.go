package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// A step of a decoder: the rows of all new tokens go through the layers together, as a pass's do (run.go), with the difference that a
// sequence's earlier tokens are in the caches.

// decoding is a state of a step: variants that agree so far, and the rows of their sequences.
type decoding struct {
	variants []int
	streams  []stream
	few      bool          // the rows are a step's of generation; alike in all states of a step
	hidden   device.Tensor // [rows × hidden]
}

// stream is one sequence's new tokens, and how many came before them.
type stream struct {
	slot, past int
	shared     int // of the past, tokens whose keys the variant's root has
	ids        []int32
	want       int // of the last rows, those whose logits are wanted
}

func (s *decoding) rows() int {
	rows := 0
	for _, t := range s.streams {
		rows += len(t.ids)
	}
	return rows
}

// feed takes states through the model and gives the logits of the rows wanted: a variant, a stream of its state, a row, [vocab]. Long streams
// go in pieces, all but the last `want` rows of each first.
func (d *Decoder) feed(ctx context.Context, states []decoding) (map[int][][][]float32, error) {
	for _, s := range states {
		for _, v := range s.variants {
			for _, t := range s.streams {
				at := d.place(v, t.slot)
				d.torn[at], d.furthest[at] = true, max(d.furthest[at], t.past+len(t.ids))
			}
		}
	}
	for {
		now, later := pieces(states, d.rows)
		logits, err := d.step(ctx, now)
		if err = d.model.unchanged(err); err != nil {
			// A step that ended early may have left a failure behind; it belongs to nobody else.
			_ = d.device.Sync()
			return nil, err
		}
		if later == nil {
			return logits, nil
		}
		states = later
	}
}

// pieces parts states so that no step has more than about `most` rows: the tokens of now, and what comes after; nil where all is now.
func pieces(states []decoding, most int) (now, later []decoding) {
	rows := 0
	for i := range states {
		rows += states[i].rows()
	}
	if rows <= most {
		return states, nil
	}
	streams := 0
	for _, s := range states {
		for _, t := range s.streams {
			if len(t.ids) > t.want {
				streams++
			}
		}
	}
	if streams == 0 {
		return states, nil
	}
	each := max(most/streams, 1)
	for _, s := range states {
		first, rest := s, s
		first.streams, rest.streams = nil, nil
		for _, t := range s.streams {
			n := min(len(t.ids)-t.want, each)
			a, b := t, t
			a.ids, b.ids, a.want, b.past = t.ids[:n], t.ids[n:], 0, t.past+n
			first.streams, rest.streams = append(first.streams, a), append(rest.streams, b)
		}
		now, later = append(now, first), append(later, rest)
	}
	return now, later
}

// step takes the states' rows through all layers and the head.
func (d *Decoder) step(ctx context.Context, states []decoding) (map[int][][][]float32, error) {
	states = slices.Clone(states)
	defer func() {
		for _, s := range states {
			if s.hidden != nil {
				s.hidden.Free()
			}
		}
	}()
	if err := d.embed(states); err != nil {
		return nil, err
	}
	for layer := range d.model.Layers() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if states, err = d.layer(states, layer); err != nil {
			return nil, err
		}
	}
	return d.logits(states)
}

// weightsOf loads tensors, or finds them loaded.
func (d *Decoder) weightsOf(kept **layerWeights, visit func(func(*arch.Ref))) (w *layerWeights, release func(), err error) {
	if *kept != nil {
		return *kept, func() {}, nil
	}
	if w, err = d.model.load(d.device, d.model.Tensors, visit); err != nil {
		return nil, nil, err
	}
	if d.resident {
		*kept = w
		return w, func() {}, nil
	}
	return w, func() {
		w.release()
		d.model.Tensors.Discard(w.names)
	}, nil
}

// forwardOf makes ready for the rows of some streams, of which each has the variant that keeps its tokens; layer is −1 where nothing is kept.
func (d *Decoder) forwardOf(weights *layerWeights, layer int, streams []stream, keepers []int, few bool) *forward {
	layout := &device.Layout{Start: make([]int32, 1, len(streams)+1)}
	var positions []int32
	var c *layerCache
	if layer >= 0 {
		c = d.layers[layer]
		c.work = nil
	}
	for i, t := range streams {
		n := len(t.ids)
		layout.Start = append(layout.Start, layout.Start[i]+int32(n))
		for j := range n {
			positions = append(positions, int32(t.past+j))
		}
		if c == nil {
			continue
		}
		c.work = append(c.work, cached{place: c.first[keepers[i]] + t.slot, past: t.past, rows: n, shared: t.shared,
			root: c.first[d.roots[layer][keepers[i]]] + t.slot})
	}
	return &forward{device: d.device, weights: weights, pool: d.pool, layout: layout, positions: positions, rows: len(positions), cache: c, few: few}
}

// embed fills the states' tensors with what enters block 0.
func (d *Decoder) embed(states []decoding) error {
	spec := &d.model.Spec.Embed
	weights, release, err := d.weightsOf(&d.ends[0], spec.Refs)
	if err != nil {
		return err
	}
	defer release()
	for i := range states {
		s := &states[i]
		var ids []int32
		for _, t := range s.streams {
			ids = append(ids, t.ids...)
		}
		s.hidden = d.device.NewTensor(len(ids), d.model.Spec.Hidden)
		if len(ids) > 0 {
			d.forwardOf(weights, -1, s.streams, nil, s.few).embed(s.hidden, spec, ids)
		}
	}
	return asked(d.device)
}

// layer takes the states through one block, or the half of it that their variants have.
func (d *Decoder) layer(states []decoding, layer int) ([]decoding, error) {
	var moved [parts + 1][]decoding // by what is left out; Layer: states that stay as they are
	for _, s := range states {
		used := false
		for part, same := range split(d.variants, s.variants, layer) {
			if len(same) == 0 {
				continue
			}
			to := s
			to.variants = same
			if used { // the first takes the tensor along
				to.hidden = d.device.NewTensor(s.hidden.Rows(), s.hidden.Cols())
				d.device.Columns(to.hidden, s.hidden, []device.Move{{From: 0, To: 0, Count: s.hidden.Cols()}})
			}
			used = true
			moved[part] = append(moved[part], to)
		}
	}
	after := slices.Concat(moved[:]...)
	slices.SortStableFunc(after, func(a, b decoding) int { return a.variants[0] - b.variants[0] })
	if len(after) == len(moved[Layer]) {
		return after, nil
	}
	weights, release, err := d.weightsOf(&d.loaded[layer], func(visit func(*arch.Ref)) {
		d.model.Spec.Blocks[layer].Refs(visit)
		if h := d.layers[layer].heads; h != nil {
			for i := range h.keys {
				visit(&h.keys[i].Weight)
				visit(&h.values[i].Weight)
			}
		}
	})
	if err != nil {
		return after, err
	}
	defer release()
	for _, part := range [...]Part{none, Attention, MLP} {
		d.apply(moved[part], layer, part, weights)
	}
	if err := asked(d.device); err != nil {
		return after, fmt.Errorf("engine: layer %d: %w", layer, err)
	}
	return after, nil
}

// apply computes a block without a part of it on the rows of some states together, in place.
func (d *Decoder) apply(states []decoding, layer int, part Part, weights *layerWeights) {
	var streams []stream
	var keepers []int
	for _, s := range states {
		for _, t := range s.streams {
			streams, keepers = append(streams, t), append(keepers, s.variants[0])
		}
	}
	if len(streams) == 0 {
		return
	}
	keeping := layer
	if part == Attention {
		keeping = -1
	}
	f := d.forwardOf(weights, keeping, streams, keepers, states[0].few)
	if f.rows == 0 {
		return
	}
	x := states[0].hidden
	if len(states) > 1 {
		x = f.take(d.model.Spec.Hidden)
		d.stack(x, states, func(all, own device.Tensor) { f.copy(all, own) })
	}
	y := f.take(d.model.Spec.Hidden)
	seen := f.block(y, x, &d.model.Spec.Blocks[layer], part)
	d.stack(y, states, func(all, own device.Tensor) { f.copy(own, all) })
	f.give(y, seen.attn, seen.mlp, seen.act)
	if len(states) > 1 {
		f.give(x)
	}
	if f.cache == nil {
		return
	}
	work := f.cache.work
	for _, s := range states {
		for i, t := range s.streams {
			for _, v := range s.variants[1:] {
				f.cache.share(d.device, work[i], f.cache.first[v]+t.slot)
			}
		}
		work = work[len(s.streams):]
	}
}

// stack pairs each state's tensor with its rows in a tensor of all of them.
func (d *Decoder) stack(all device.Tensor, states []decoding, each func(all, own device.Tensor)) {
	row := 0
	for _, s := range states {
		n := s.hidden.Rows()
		each(all.Slice(row, n), s.hidden)
		row += n
	}
}

// logits gives the logits of the rows wanted, by variant and stream.
func (d *Decoder) logits(states []decoding) (map[int][][][]float32, error) {
	spec := d.model.Spec
	weights, release, err := d.weightsOf(&d.ends[1], spec.HeadRefs)
	if err != nil {
		return nil, err
	}
	defer release()
	all := map[int][][][]float32{}
	for _, s := range states {
		var rows []int32
		end := 0
		for _, t := range s.streams {
			end += len(t.ids)
			for row := end - t.want; row < end; row++ {
				rows = append(rows, int32(row))
			}
		}
		if len(rows) == 0 {
			continue
		}
		f := &forward{device: d.device, weights: weights, pool: d.pool, rows: len(rows), few: s.few}
		x := f.take(spec.Hidden)
		d.device.Gather(x, s.hidden, rows)
		x = f.final(x, spec)
		logits := f.linear(x, &spec.Head.Output)
		values := make([]float32, len(rows)*logits.Cols())
		d.device.Download(values, logits, 0)
		err := d.device.Sync()
		f.give(x, logits)
		if err != nil {
			return nil, fmt.Errorf("engine: head: %w", err)
		}
		capped(values, spec)
		if slices.ContainsFunc(values, func(v float32) bool { return v != v }) {
			return nil, d.model.notNumbers("logits")
		}
		var own [][][]float32
		vocab, row := len(values)/len(rows), 0
		for _, t := range s.streams {
			var of [][]float32
			for range t.want {
				of = append(of, values[row*vocab:(row+1)*vocab:(row+1)*vocab])
				row++
			}
			own = append(own, of)
		}
		for _, v := range s.variants {
			all[v] = own
		}
	}
	return all, nil
}

// capped scales and caps logits in place, as the head says.
func capped(logits []float32, spec *arch.Spec) {
	scale, cap := spec.Head.Scale, spec.Head.SoftCap
	if (scale == 0 || scale == 1) && cap <= 0 {
		return
	}
	if scale == 0 {
		scale = 1
	}
	for i, v := range logits {
		v *= scale
		if cap > 0 {
			v = cap * float32(math.Tanh(float64(v/cap)))
		}
		logits[i] = v
	}
}
