package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// What a layer keeps of the tokens that came before, so that the next ones cost their own rows alone: keys and values (a latent row where
// attention is latent, arXiv 2405.04434), the last inputs of a convolution, the state of a delta rule. It is kept a place: one variant's
// continuation of one sequence. Places whose variants agree so far share what their first one keeps of the prompt; rings are copied, since they
// are short and go on to hold other rows.

// layerCache is one layer's. Its tensors are made when the layer first runs.
type layerCache struct {
	kept                    // of a place
	places    int           // of the variants that have the layer's mixer
	first     []int         // a variant: its first place; −1: it has none
	keyRows   device.Tensor // [places·rows × keys]
	valueRows device.Tensor // [places·rows × values]; the first columns of keyRows where values are those
	states    device.Tensor // delta rule: [places × state]
	inputRows [3]device.Tensor
	heads     *absorbedHeads // of latent attention whose files do not keep them
	work      []cached       // the sequences of the rows in work
}

// cached is a sequence of the rows in work.
type cached struct {
	place, past, rows int // rows come behind the past
	root, shared      int // the first so many of the past stand in the root's place
}

func newLayerCache(k kept, variants []Drop, layer, slots int) *layerCache {
	c := &layerCache{kept: k}
	for _, drop := range variants {
		if p := drop.of(layer); p == Layer || p == Attention {
			c.first = append(c.first, -1)
			continue
		}
		c.first = append(c.first, c.places)
		c.places += slots
	}
	return c
}

// tensor is a cache tensor, made at the first call.
func (c *layerCache) tensor(d device.Device, t *device.Tensor, rows, cols int) device.Tensor {
	if *t == nil {
		*t = d.NewTensor(c.places*rows, cols)
	}
	return *t
}

// attended are the tensors of keys and values.
func (c *layerCache) attended(d device.Device, valueCols int) (keys, values device.Tensor) {
	keys = c.tensor(d, &c.keyRows, c.rows, c.keys)
	if c.values > 0 {
		return keys, c.tensor(d, &c.valueRows, c.rows, c.values)
	}
	return keys, keys.Columns(0, valueCols)
}

// run is some rows of a cache tensor.
type run struct{ first, rows int }

// runs are the rows of a place's positions from first to end: one run, or two where a ring ends between.
func (c *layerCache) runs(place, first, end int) []run {
	var all []run
	for first < end {
		at := first % c.rows
		n := min(end-first, c.rows-at)
		all = append(all, run{place*c.rows + at, n})
		first += n
	}
	return all
}

// attend keeps the rows' keys and values and mixes over all that their sequences see. It gives k and v back.
func (f *forward) attend(dst, q, k, v device.Tensor, a device.Attention) {
	c := f.cache
	if c == nil {
		f.device.Attention(dst, q, k, v, a, f.layout)
		f.give(k, v)
		return
	}
	keys, values := c.attended(f.device, v.Cols())
	outside := c.overflows(a)
	if outside {
		f.attendOutside(dst, q, k, v, a)
	}
	f.keep(keys, k)
	if c.values > 0 {
		f.keep(values, v)
	}
	f.give(k, v)
	if outside {
		return
	}
	layout := &device.Layout{Start: f.layout.Start}
	for _, w := range c.work {
		layout.Keys = append(layout.Keys, c.visible(w, a))
	}
	f.mixed(dst, q, keys, values, a, layout)
}

// attendOutside mixes rows that a ring has no room for beside what the first of them sees: sequence by sequence, what is seen of the ring and the
// rows behind it stand in tensors of the pool.
func (f *forward) attendOutside(dst, q, k, v device.Tensor, a device.Attention) {
	c := f.cache
	for i, w := range c.work {
		at, first := int(f.layout.Start[i]), a.FirstSeen(w.past)
		whole := func(ring, rows device.Tensor) device.Tensor {
			all, to := f.pool.take(w.past+w.rows-first, rows.Cols()), 0
			for _, r := range c.runs(w.place, first, w.past) {
				f.copy(all.Slice(to, r.rows), ring.Slice(r.first, r.rows))
				to += r.rows
			}
			f.copy(all.Slice(to, w.rows), rows.Slice(at, w.rows))
			return all
		}
		keys, values := whole(c.keyRows, k), whole(c.valueRows, v)
		layout := &device.Layout{Start: []int32{0, int32(w.rows)}, Keys: []device.KeyRows{{OwnRows: int32(keys.Rows()), First: int32(first)}}}
		f.mixed(dst.Slice(at, w.rows), q.Slice(at, w.rows), keys, values, a, layout)
		f.give(keys, values)
	}
}

// mixed is attention over a cache.
func (f *forward) mixed(dst, q, k, v device.Tensor, a device.Attention, layout *device.Layout) {
	if few, able := f.device.(device.FewRows); able && f.few {
		few.AttentionFew(dst, q, k, v, a, layout)
	} else {
		f.device.Attention(dst, q, k, v, a, layout)
	}
}

// visible is what a sequence sees.
func (c *layerCache) visible(w cached, a device.Attention) device.KeyRows {
	end := w.past + w.rows
	if !c.ring {
		k := device.KeyRows{Own: int32(w.place*c.rows + w.shared), OwnRows: int32(end - w.shared)}
		if w.shared > 0 {
			k.Prefix, k.PrefixRows = int32(w.root*c.rows), int32(w.shared)
		}
		return k
	}
	first := a.FirstSeen(w.past)
	k := device.KeyRows{First: int32(first)}
	runs := c.runs(w.place, first, end)
	if len(runs) == 2 {
		k.Prefix, k.PrefixRows = int32(runs[0].first), int32(runs[0].rows)
	}
	last := runs[len(runs)-1]
	k.Own, k.OwnRows = int32(last.first), int32(last.rows)
	return k
}

// overflows says whether a ring has no room for some sequence's rows beside what the first of them sees.
func (c *layerCache) overflows(a device.Attention) bool {
	for _, w := range c.work {
		if c.ring && w.past+w.rows-a.FirstSeen(w.past) > c.rows {
			return true
		}
	}
	return false
}

// keep copies each sequence's rows to where the cache has them: of more than a ring holds, the last.
func (f *forward) keep(cache, rows device.Tensor) {
	for i, w := range f.cache.work {
		at := int(f.layout.Start[i+1])
		at -= min(w.rows, f.cache.rows)
		for _, r := range f.cache.written(w, w.place) {
			f.copy(cache.Slice(r.first, r.rows), rows.Slice(at, r.rows))
			at += r.rows
		}
	}
}

// written are the rows of a place where the rows in work are kept.
func (c *layerCache) written(w cached, place int) []run {
	end := w.past + w.rows
	return c.runs(place, end-min(w.rows, c.rows), end)
}

func (f *forward) copy(dst, src device.Tensor) {
	f.device.Columns(dst, src, []device.Move{{From: 0, To: 0, Count: src.Cols()}})
}

// convolve is a convolution over rows behind those that came before. which tells a layer's convolutions apart.
func (f *forward) convolve(dst, x device.Tensor, kernel, bias *arch.Ref, which int) {
	taps, shift := f.weights.vector(kernel), f.weights.vector(bias)
	c := f.cache
	if c == nil || c.inputs[which].rows == 0 {
		f.device.Convolve(dst, x, taps, shift, f.layout)
		return
	}
	before := c.inputs[which].rows
	past := c.tensor(f.device, &c.inputRows[which], before, c.inputs[which].cols)
	// Rows of zeros before a sequence's start are what a convolution takes for granted there.
	sequences := f.layout.Sequences()
	joined := &device.Layout{Start: make([]int32, sequences+1)}
	for i := range sequences {
		joined.Start[i+1] = joined.Start[i] + int32(before) + f.layout.Start[i+1] - f.layout.Start[i]
	}
	all := f.pool.take(joined.Rows(), x.Cols())
	out := f.pool.take(joined.Rows(), x.Cols())
	for i, w := range c.work {
		first, at := int(f.layout.Start[i]), int(joined.Start[i])
		f.copy(all.Slice(at, before), past.Slice(w.place*before, before))
		f.copy(all.Slice(at+before, w.rows), x.Slice(first, w.rows))
	}
	f.device.Convolve(out, all, taps, shift, joined)
	for i, w := range c.work {
		first, at := int(f.layout.Start[i]), int(joined.Start[i])
		f.copy(dst.Slice(first, w.rows), out.Slice(at+before, w.rows))
		f.copy(past.Slice(w.place*before, before), all.Slice(at+w.rows, before))
	}
	f.give(all, out)
}

// recall runs a delta rule from where its sequences' states are, and leaves them where they then are.
func (f *forward) recall(dst device.Tensor, r device.DeltaRule) {
	c := f.cache
	if c == nil {
		f.device.DeltaRule(dst, r, f.layout)
		return
	}
	held := c.tensor(f.device, &c.states, 1, c.state)
	r.State = f.pool.take(f.layout.Sequences(), c.state)
	for i, w := range c.work {
		f.copy(r.State.Slice(i, 1), held.Slice(w.place, 1))
	}
	f.device.DeltaRule(dst, r, f.layout)
	for i, w := range c.work {
		f.copy(held.Slice(w.place, 1), r.State.Slice(i, 1))
	}
	f.give(r.State)
}

// tensors are all that there are, each with the rows of a place.
func (c *layerCache) tensors(visit func(t device.Tensor, rows int)) {
	for _, t := range []device.Tensor{c.keyRows, c.valueRows} {
		if t != nil {
			visit(t, c.rows)
		}
	}
	c.recurring(visit)
}

// recurring visits the tensors that hold no row a token.
func (c *layerCache) recurring(visit func(t device.Tensor, rows int)) {
	if c.states != nil {
		visit(c.states, 1)
	}
	for i, t := range c.inputRows {
		if t != nil {
			visit(t, c.inputs[i].rows)
		}
	}
}

// forget makes a variant's place as new.
func (c *layerCache) forget(d device.Device, variant, slot int) {
	place := c.first[variant] + slot
	if c.first[variant] < 0 {
		return
	}
	c.recurring(func(t device.Tensor, rows int) {
		d.Upload(t, place*rows, make([]float32, rows*t.Cols()))
	})
}

// share gives a place what the rows in work left of a sequence, where that is not read from the sequence's own place.
func (c *layerCache) share(d device.Device, w cached, to int) {
	same := func(t device.Tensor, to, from, rows int) {
		d.Columns(t.Slice(to, rows), t.Slice(from, rows), []device.Move{{From: 0, To: 0, Count: t.Cols()}})
	}
	c.recurring(func(t device.Tensor, rows int) { same(t, to*rows, w.place*rows, rows) })
	if !c.ring {
		return
	}
	for _, t := range []device.Tensor{c.keyRows, c.valueRows} {
		if t == nil {
			continue
		}
		from := c.written(w, w.place)
		for i, r := range c.written(w, to) {
			same(t, r.first, from[i].first, r.rows)
		}
	}
}

// free gives the memory back.
func (c *layerCache) free() {
	c.tensors(func(t device.Tensor, _ int) { t.Free() })
}

// absorbedHeads are what turns a query so that the latent row is its key, and a mixed latent row into a value, a head: views of the matrices
// that make keys and values of latent rows.
type absorbedHeads struct{ keys, values []arch.Linear }

// absorb makes those views, nil where the files keep them by themselves.
func absorb(a *arch.LatentSpec) *absorbedHeads {
	if a.KHeads != nil {
		return nil
	}
	h := &absorbedHeads{}
	rowOf := func(r *arch.Ref, out int) int { // the stored row of an output
		return device.Weight{Segments: r.Segments}.Row(out)
	}
	for head := range a.Heads {
		k, v := a.K.Weight, a.V.Weight
		k.Offset += rowOf(&a.K.Weight, head*a.Still) * a.Rank
		k.Segments, k.Transposed, k.Out, k.In = nil, true, a.Rank, a.Still
		v.Offset += rowOf(&a.V.Weight, head*a.Value) * a.Rank
		v.Segments, v.Out = nil, a.Value
		h.keys, h.values = append(h.keys, arch.Linear{Weight: k}), append(h.values, arch.Linear{Weight: v})
	}
	return h
}
