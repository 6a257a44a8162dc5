package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// What a layer keeps of the tokens that came before, so that the next ones cost their own rows alone: keys and values (a latent row where
// attention is latent, arXiv 2405.04434), the last inputs of a convolution, the state of a delta rule. It is kept a place: one variant's
// continuation of one sequence. Places whose variants agree so far share what their first one keeps of the prompt.

// layerCache is one layer's. Its tensors are made when the layer first runs.
type layerCache struct {
	places, length int              // of the decoder
	keys, values   device.Tensor    // [places·length × a row of keys, of values]
	states         device.Tensor    // delta rule: [places × heads·keyDim·valueDim]
	inputs         [3]device.Tensor // convolutions: [places·(width−1) × channels]
	heads          *absorbedHeads   // of latent attention whose files do not keep them
	visible        []device.KeyRows // a sequence of the rows in work: what it sees
	write          []int            // a sequence of the rows in work: the first row that its keys go to
	place          []int            // a sequence of the rows in work: its place
}

// tensor is a cache tensor, made at the first call.
func (c *layerCache) tensor(d device.Device, t *device.Tensor, rows, cols int) device.Tensor {
	if *t == nil {
		*t = d.NewTensor(rows, cols)
	}
	return *t
}

// attend keeps the rows' keys and values and mixes over all that their sequences see. It gives k and v back.
func (f *forward) attend(dst, q, k, v device.Tensor, a device.Attention) {
	c := f.cache
	if c == nil {
		f.device.Attention(dst, q, k, v, a, f.layout)
		f.give(k, v)
		return
	}
	rows := c.places * c.length
	keys, values := c.tensor(f.device, &c.keys, rows, k.Cols()), c.tensor(f.device, &c.values, rows, v.Cols())
	f.keep(keys, k)
	f.keep(values, v)
	f.give(k, v)
	layout := &device.Layout{Start: f.layout.Start, Keys: c.visible}
	if few, able := f.device.(device.FewRows); able && f.few {
		few.AttentionFew(dst, q, keys, values, a, layout)
	} else {
		f.device.Attention(dst, q, keys, values, a, layout)
	}
}

// keep copies each sequence's rows to where the cache has them.
func (f *forward) keep(cache, rows device.Tensor) {
	for i, at := range f.cache.write {
		first, n := int(f.layout.Start[i]), int(f.layout.Start[i+1]-f.layout.Start[i])
		f.copy(cache.Slice(at, n), rows.Slice(first, n))
	}
}

func (f *forward) copy(dst, src device.Tensor) {
	f.device.Columns(dst, src, []device.Move{{From: 0, To: 0, Count: src.Cols()}})
}

// convolve is a convolution over rows behind those that came before. which tells a layer's convolutions apart.
func (f *forward) convolve(dst, x device.Tensor, kernel, bias *arch.Ref, which int) {
	taps, shift := f.weights.vector(kernel), f.weights.vector(bias)
	c := f.cache
	if c == nil {
		f.device.Convolve(dst, x, taps, shift, f.layout)
		return
	}
	before := taps.Cols() - 1
	if before == 0 {
		f.device.Convolve(dst, x, taps, shift, f.layout)
		return
	}
	past := c.tensor(f.device, &c.inputs[which], c.places*before, x.Cols())
	// Rows of zeros before a sequence's start are what a convolution takes for granted there.
	sequences := f.layout.Sequences()
	joined := &device.Layout{Start: make([]int32, sequences+1)}
	for i := range sequences {
		joined.Start[i+1] = joined.Start[i] + int32(before) + f.layout.Start[i+1] - f.layout.Start[i]
	}
	all := f.pool.take(joined.Rows(), x.Cols())
	out := f.pool.take(joined.Rows(), x.Cols())
	for i := range sequences {
		first, n, at := int(f.layout.Start[i]), int(f.layout.Start[i+1]-f.layout.Start[i]), int(joined.Start[i])
		f.copy(all.Slice(at, before), past.Slice(c.place[i]*before, before))
		f.copy(all.Slice(at+before, n), x.Slice(first, n))
	}
	f.device.Convolve(out, all, taps, shift, joined)
	for i := range sequences {
		first, n, at := int(f.layout.Start[i]), int(f.layout.Start[i+1]-f.layout.Start[i]), int(joined.Start[i])
		f.copy(dst.Slice(first, n), out.Slice(at+before, n))
		f.copy(past.Slice(c.place[i]*before, before), all.Slice(at+n, before))
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
	width := r.Heads * r.KeyDim * r.ValueDim
	kept := c.tensor(f.device, &c.states, c.places, width)
	r.State = f.pool.take(f.layout.Sequences(), width)
	for i, place := range c.place {
		f.copy(r.State.Slice(i, 1), kept.Slice(place, 1))
	}
	f.device.DeltaRule(dst, r, f.layout)
	for i, place := range c.place {
		f.copy(kept.Slice(place, 1), r.State.Slice(i, 1))
	}
	f.give(r.State)
}

// each visits the tensors of which a place has so many rows.
func (c *layerCache) each(visit func(t device.Tensor, rows int)) {
	for _, t := range []device.Tensor{c.keys, c.values} {
		if t != nil {
			visit(t, c.length)
		}
	}
	c.recurrent(visit)
}

// recurrent visits the tensors that hold no row a token.
func (c *layerCache) recurrent(visit func(t device.Tensor, rows int)) {
	if c.states != nil {
		visit(c.states, 1)
	}
	for _, t := range c.inputs {
		if t != nil {
			visit(t, t.Rows()/c.places)
		}
	}
}

// forget makes a place as new.
func (c *layerCache) forget(d device.Device, place int) {
	c.recurrent(func(t device.Tensor, rows int) {
		d.Upload(t, place*rows, make([]float32, rows*t.Cols()))
	})
}

// share gives a place what another has of the tokens so far, where that is not read from the other itself.
func (c *layerCache) share(d device.Device, from, to int) {
	c.recurrent(func(t device.Tensor, rows int) {
		d.Columns(t.Slice(to*rows, rows), t.Slice(from*rows, rows), []device.Move{{From: 0, To: 0, Count: t.Cols()}})
	})
}

// free gives the memory back.
func (c *layerCache) free() {
	c.each(func(t device.Tensor, _ int) { t.Free() })
}

// absorbedHeads are what turns a query so that the latent row is its key, and a mixed latent row into a value, a head: views of the matrices
// that make keys and values of latent rows.
type absorbedHeads struct{ keys, values []arch.Linear }

// absorb makes those views, nil where the files keep them by themselves or in blocks, which cannot be read transposed.
func absorb(a *arch.LatentSpec, transposable bool) *absorbedHeads {
	if a.KHeads != nil || !transposable {
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
