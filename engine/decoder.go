package engine

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/failure"
)

// Decoder continues sequences token by token. It keeps what every layer needs of earlier tokens (cache.go), so that a step costs the rows of
// its new tokens alone, and it may continue the same prompts by several variants, which share the work of a prompt as far as they agree. Steps
// of any number of sequences at different lengths are taken together, and weights are read once a step.
type Decoder struct {
	model    *Model
	device   device.Device
	variants []Drop
	slots    int
	length   int
	back     int
	rows     int // of a step, about

	pool     *pool
	layers   []*layerCache
	roots    [][]int // layer, variant → the variant whose places hold what both keep of a prompt
	resident bool
	loaded   []*layerWeights  // a layer; nil where it is loaded step by step
	ends     [2]*layerWeights // embedding and head

	history  [][]int32 // a place, which is a variant and a slot: its tokens so far
	shared   []int     // a place: how many of them stand in its root's rows
	furthest []int     // a place: how many tokens it had at most since it was new: a ring holds none that lie further back than that says
	torn     []bool    // a place: its caches are not what its history says, since a step ended early
}

// DecoderOptions say what a decoder shall hold. The zero value is one sequence of the dense model.
type DecoderOptions struct {
	Variants []Drop // continued side by side; nil: the dense model alone
	Slots    int    // sequences at a time; 0: 1
	Length   int    // tokens a sequence may come to; 0: as many as the model was made for, 4096 where that is not known
	Back     int    // tokens that Rewind takes back without walking the rest anew in layers that keep a window; 0: mostFew, which are the least
	Memory   int64  // bytes that the caches may take; 0: half of what the device or machine has
}

// defaultLength is how long a sequence may become where a model does not say.
const defaultLength = 4096

// NewDecoder makes an empty one on the model's first device. Close it before the model.
func (m *Model) NewDecoder(o DecoderOptions) (*Decoder, error) {
	m.running.Lock()
	defer m.running.Unlock()
	if err := m.Computable(); err != nil {
		return nil, err
	}
	on, err := m.Device()
	if err != nil {
		return nil, err
	}
	if m.Spec.Head.Classify != nil {
		return nil, fmt.Errorf("engine: %s: a classifier continues no text", m.Ref)
	}
	if o.Length <= 0 {
		o.Length = m.Length(0, 0)
	}
	if m.Spec.Context > 0 && o.Length > m.Spec.Context {
		return nil, fmt.Errorf("engine: %d tokens: %s has positions for %d", o.Length, m.Ref, m.Spec.Context)
	}
	if len(o.Variants) == 0 {
		o.Variants = []Drop{nil}
	}
	o.Variants = m.settled(o.Variants)
	if err := checkVariants(o.Variants, m.Layers()); err != nil {
		return nil, err
	}
	d := &Decoder{model: m, device: on, variants: o.Variants, slots: max(o.Slots, 1), length: o.Length, back: o.Back}
	if err := d.fits(o.Memory); err != nil {
		return nil, err
	}
	places := len(d.variants) * d.slots
	d.history, d.shared, d.furthest, d.torn = make([][]int32, places), make([]int, places), make([]int, places), make([]bool, places)
	d.loaded = make([]*layerWeights, m.Layers())
	for layer := range m.Layers() {
		c := newLayerCache(m.kept(layer, d.length, d.back), d.variants, layer, d.slots)
		if a, latent := m.Spec.Blocks[layer].Mixer.(*arch.LatentSpec); latent && m.absorbable(a) {
			c.heads = absorb(a)
		}
		d.layers = append(d.layers, c)
	}
	d.agree()
	d.pool = newPool(on, 1)
	return d, nil
}

// fits says whether the caches fit the memory, and if not how many tokens would.
func (d *Decoder) fits(memory int64) error {
	d.rows = defaultRows
	if r := d.model.room(d.device); r != nil && memory <= 0 {
		return d.fitsInto(r)
	}
	if memory <= 0 {
		memory = d.device.Info().Memory / 2
	}
	if memory <= 0 {
		return nil
	}
	d.resident = d.model.bytes() <= memory
	if bytes := d.bytes(d.length); bytes > memory {
		return failure.Memory.Errorf("engine: keys and values of %d sequences of %d tokens take %d bytes, and %d may be taken; sequences of %d tokens fit",
			d.slots*len(d.variants), d.length, bytes, memory, d.longest(memory))
	}
	return nil
}

// fitsInto is fits where a process's memory is bounded. Steps have as many rows as there is room for beside the caches.
func (d *Decoder) fitsInto(r *Room) error {
	mapped, places := d.model.mappedAtATime(), d.slots*len(d.variants)
	var beside int64 // what a step takes beside the caches
	for d.rows = min(d.rows, max(places*d.length, 1)); ; d.rows = max(d.rows/2, places) {
		work, err := d.model.working(d.device, d.rows)
		if err != nil {
			return err
		}
		// Logits are Go's, of a row a place, and those of the step before may not have been collected.
		beside = mapped + work + 4*(3*int64(places)*int64(d.model.Spec.Vocab)+int64(d.rows)*int64(d.model.Spec.Hidden))
		if d.rows == places || beside+d.bytes(d.length) <= r.left() {
			break
		}
	}
	d.resident = beside-mapped+d.model.bytes()+d.bytes(d.length) <= r.left()
	if all := beside + d.bytes(d.length); all > r.left() {
		return fmt.Errorf("engine: %w; sequences of %d tokens fit", r.take(all, fmt.Sprintf("to continue %d sequences of %d tokens", places, d.length)),
			d.longest(r.left()-beside))
	}
	return nil
}

// longest is how many tokens sequences may come to whose caches take so many bytes at most.
func (d *Decoder) longest(memory int64) int {
	return sort.Search(d.length, func(tokens int) bool { return d.bytes(tokens+1) > memory })
}

// bytes is what the caches take of sequences of so many tokens.
func (d *Decoder) bytes(tokens int) int64 {
	values := int64(0)
	for _, drop := range d.variants {
		values += d.model.cacheValues(drop, tokens, d.back)
	}
	return values * 4 * int64(d.slots)
}

// CacheBytes is what the caches of all variants and slots take, in float32.
func (d *Decoder) CacheBytes() int64 { return d.bytes(d.length) }

// agree finds, layer by layer, which variants still keep the same of a prompt.
func (d *Decoder) agree() {
	states := [][]int{sequence(len(d.variants))}
	for layer := range d.model.Layers() {
		root := make([]int, len(d.variants))
		var next [][]int
		for _, s := range states {
			for _, same := range split(d.variants, s, layer) {
				for _, v := range same {
					root[v] = same[0]
				}
				if len(same) > 0 {
					next = append(next, same)
				}
			}
		}
		states = next
		d.roots = append(d.roots, root)
	}
}

// sequence lists 0 to n−1.
func sequence(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func (d *Decoder) place(variant, slot int) int { return variant*d.slots + slot }

// Tokens is what a sequence has come to in a variant. The caller must not change it.
func (d *Decoder) Tokens(variant, slot int) []int32 { return d.history[d.place(variant, slot)] }

// Length is how many tokens a sequence may come to.
func (d *Decoder) Length() int { return d.length }

// Prompt begins a sequence.
type Prompt struct {
	Slot int
	IDs  []int32
}

// Start begins sequences anew in some slots, in all variants together, and gives the logits behind each prompt's last token: a variant, a
// prompt, [vocab].
func (d *Decoder) Start(ctx context.Context, prompts []Prompt) ([][][]float32, error) {
	d.model.running.Lock()
	defer d.model.running.Unlock()
	s := decoding{variants: sequence(len(d.variants))}
	for _, p := range prompts {
		if err := d.check(0, p.Slot, p.IDs, 0); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(s.streams, func(t stream) bool { return t.slot == p.Slot }) {
			return nil, fmt.Errorf("engine: two prompts for slot %d", p.Slot)
		}
		s.streams = append(s.streams, stream{slot: p.Slot, ids: p.IDs, want: 1})
	}
	if len(prompts) == 0 {
		return make([][][]float32, len(d.variants)), nil
	}
	for v := range d.variants {
		for _, p := range prompts {
			d.forget(v, p.Slot)
		}
	}
	rows, err := d.feed(ctx, []decoding{s})
	if err != nil {
		return nil, err
	}
	all := make([][][]float32, len(d.variants))
	for v := range d.variants {
		for i, p := range prompts {
			at := d.place(v, p.Slot)
			d.history[at], d.shared[at], d.torn[at] = slices.Clone(p.IDs), len(p.IDs), false
			all[v] = append(all[v], rows[v][i][0])
		}
	}
	return all, nil
}

// Continuation is some further tokens of a sequence in one variant.
type Continuation struct {
	Variant, Slot int
	IDs           []int32
}

// mostFew is how many tokens a continuation has at most to be a step of generation, or the checking of a draft, whose few rows meet the weights
// at the speed at which memory is read (device.FewRows). Longer ones are walked as prompts are. A continuation's own length decides, so that
// what it comes to does not depend on the others.
const mostFew = 16

// Continue takes sequences on by some tokens each and gives the logits behind every one of them: a continuation, a token, [vocab].
func (d *Decoder) Continue(ctx context.Context, next []Continuation) ([][][]float32, error) {
	d.model.running.Lock()
	defer d.model.running.Unlock()
	var steps [2][]decoding            // of few rows, and of many
	where := make([][2]int, len(next)) // step and stream of each
	seen := map[int]bool{}
	for _, c := range next {
		if c.Variant < 0 || c.Variant >= len(d.variants) {
			return nil, fmt.Errorf("engine: variant %d of %d", c.Variant, len(d.variants))
		}
		if err := d.check(c.Variant, c.Slot, c.IDs, 1); err != nil {
			return nil, err
		}
		at := d.place(c.Variant, c.Slot)
		if seen[at] {
			return nil, fmt.Errorf("engine: two continuations of slot %d in variant %d", c.Slot, c.Variant)
		}
		seen[at] = true
	}
	for i, c := range next {
		at := d.place(c.Variant, c.Slot)
		t := stream{slot: c.Slot, ids: c.IDs, past: len(d.history[at]), shared: d.shared[at], want: len(c.IDs)}
		// Every row is turned otherwise from some lengths on.
		if d.torn[at] || d.stretches(t.past, t.past+len(c.IDs)) {
			d.forget(c.Variant, c.Slot)
			t.ids, t.past, t.shared = append(slices.Clone(d.history[at]), c.IDs...), 0, 0
			d.shared[at] = 0
		}
		step := 0
		if len(t.ids) > mostFew {
			step = 1
		}
		states := &steps[step]
		state := slices.IndexFunc(*states, func(s decoding) bool { return s.variants[0] == c.Variant })
		if state < 0 {
			state = len(*states)
			*states = append(*states, decoding{variants: []int{c.Variant}, few: step == 0})
		}
		own := &(*states)[state]
		where[i] = [2]int{step, len(own.streams)}
		own.streams = append(own.streams, t)
	}
	var rows [2]map[int][][][]float32
	for i, states := range steps {
		if len(states) == 0 {
			continue
		}
		var err error
		if rows[i], err = d.feed(ctx, states); err != nil {
			return nil, err
		}
	}
	all := make([][][]float32, len(next))
	for i, c := range next {
		at := d.place(c.Variant, c.Slot)
		d.history[at], d.torn[at] = append(d.history[at], c.IDs...), false
		all[i] = rows[where[i][0]][c.Variant][where[i][1]]
	}
	return all, nil
}

// Rewind takes a sequence back to so many tokens. Where a layer keeps a state instead of rows a token, or a window that has left what its first
// token then sees, they are walked anew.
func (d *Decoder) Rewind(ctx context.Context, variant, slot, tokens int) error {
	place := d.place(variant, slot)
	if tokens < 1 || tokens > len(d.history[place]) {
		return fmt.Errorf("engine: slot %d has %d tokens, not %d", slot, len(d.history[place]), tokens)
	}
	if tokens == len(d.history[place]) {
		return nil
	}
	before := len(d.history[place])
	d.history[place] = d.history[place][:tokens]
	d.shared[place] = min(d.shared[place], tokens)
	for v := range d.variants { // what reads the prompt here must walk its own: other tokens may come in its place
		if at := d.place(v, slot); v != variant && d.shared[at] > tokens && d.reads(v, variant) {
			d.torn[at] = true
		}
	}
	if !d.gone(variant, d.furthest[place], tokens) && !d.stretches(tokens, before) {
		return nil
	}
	d.model.running.Lock()
	defer d.model.running.Unlock()
	d.forget(variant, slot)
	d.shared[place] = 0
	_, err := d.feed(ctx, []decoding{{variants: []int{variant}, streams: []stream{{slot: slot, ids: d.history[place]}}}})
	d.torn[place] = err != nil
	return err
}

// reads says whether a variant reads what it shares of a prompt in another's place.
func (d *Decoder) reads(variant, other int) bool {
	return slices.ContainsFunc(d.roots, func(roots []int) bool { return roots[variant] == other })
}

// gone says whether some layer no longer has what a variant needs behind so many tokens, after it had `furthest`.
func (d *Decoder) gone(variant, furthest, tokens int) bool {
	for layer, c := range d.layers {
		if c.first[variant] < 0 {
			continue
		}
		if c.recurrent() {
			return true
		}
		if a, is := d.model.Spec.Blocks[layer].Mixer.(*arch.AttentionSpec); is && c.ring && a.FirstSeen(tokens) < furthest-c.rows {
			return true
		}
	}
	return false
}

// stretches says whether the rotation of all rows changes between two lengths.
func (d *Decoder) stretches(before, after int) bool {
	if before == 0 {
		return false
	}
	for i := range d.model.Spec.Blocks {
		var r *arch.Rotary
		switch m := d.model.Spec.Blocks[i].Mixer.(type) {
		case *arch.AttentionSpec:
			r = m.Rope
		case *arch.LatentSpec:
			r = m.Rope
		}
		if r == nil || r.Stretch == nil {
			continue
		}
		if s := r.Stretch; after > s.After && (before <= s.After || s.Long == nil) {
			return true
		}
	}
	return false
}

// check says what is wrong with tokens for a place; least is how many must have come before.
func (d *Decoder) check(variant, slot int, ids []int32, least int) error {
	if slot < 0 || slot >= d.slots {
		return fmt.Errorf("engine: slot %d of %d", slot, d.slots)
	}
	past := 0
	if least > 0 {
		if past = len(d.history[d.place(variant, slot)]); past < least {
			return fmt.Errorf("engine: slot %d has not been started", slot)
		}
	}
	if past+len(ids) > d.length {
		return fmt.Errorf("engine: %d tokens behind %d: the cache holds %d", len(ids), past, d.length)
	}
	if err := (Sequence{IDs: ids}).check(d.model.Spec.Vocab, 0); err != nil {
		return fmt.Errorf("engine: slot %d: %w", slot, err)
	}
	return nil
}

// forget makes a place as new.
func (d *Decoder) forget(variant, slot int) {
	d.furthest[d.place(variant, slot)] = 0
	for _, c := range d.layers {
		c.forget(d.device, variant, slot)
	}
}

// Close gives the caches back.
func (d *Decoder) Close() {
	d.model.running.Lock()
	defer d.model.running.Unlock()
	for _, c := range d.layers {
		c.free()
	}
	for _, w := range append(slices.Clone(d.loaded), d.ends[:]...) {
		if w != nil {
			w.release()
		}
	}
	d.pool.close()
	d.layers, d.loaded, d.ends = nil, nil, [2]*layerWeights{}
}
