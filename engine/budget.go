package engine

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"

	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/null"
	"avssnative/failure"
)

// What a process may hold, and how a walk is cut so that it keeps to that. A device that computes in the process's own memory (device.Hosted)
// shares it with the program itself, which is measured, and with the weights mapped at a time. What is left goes to the tensors that a batch
// works in, counted by computing one on the device that computes nothing, and to hidden states. Where those of all sequences do not fit, the
// sequences are walked in turns, each turn through all layers. To write states to a file instead would cost more: it moves them twice a layer, a
// turn reads every layer once, and hidden states that have less room than half a layer's weights are not worth having. Other devices have
// memory of their own and give half of it to hidden states.

// Room is what a process that holds at most the options' Memory has left for something.
type Room struct {
	limit, held int64 // held is what the process holds before
}

// room measures what is left, after what is only kept for later has been given back; nil where nothing is bounded or the device has memory of its
// own. garbage is what Go's heap may grow by before it is collected.
func (m *Model) room(d device.Device) *Room {
	hosted, is := d.(device.Hosted)
	if !is || m.options.Memory <= 0 {
		return nil
	}
	hosted.Trim()
	m.LetGo()
	debug.FreeOSMemory()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	r := &Room{m.options.Memory, held(&heap) + int64(heap.HeapAlloc)/4 + garbage}
	if several := int64(len(m.devices)); several > 1 { // they walk side by side
		r.held += r.left() / several * (several - 1)
	}
	return r
}

// garbage is what lists, layouts and records of a walk come to at a time, and what of the program's own pages is not there yet.
const garbage = 10 << 20

// left is what may be taken.
func (r *Room) left() int64 { return max(0, r.limit-r.held) }

// take is nil where so many bytes may be taken, else an error that says how much of them everything would fit in.
func (r *Room) take(bytes int64, what string) error {
	if r == nil || bytes <= r.limit-r.held {
		return nil
	}
	const mib = 1 << 20
	more := (r.held + bytes - r.limit) / 30 // of which a device keeps some for later
	return failure.Memory.Errorf("memory of %d MiB: %s takes %d MiB beside the %d MiB that the process holds: memory %dMiB fits",
		r.limit/mib, what, (bytes+mib-1)/mib, r.held/mib, (r.held+bytes+more)/mib+1+slack)
}

// slack is by how many MiB what a process holds differs from one run to the next.
const slack = 4

// Later is by how many bytes a process holds more when it computes something than before it has computed anything: pages of the program, scratch,
// scores. Whoever asks that early adds them.
const Later = 16 << 20

// bounded is the device where what the process holds is bounded and the device computes in the process's memory; else nil.
func (m *Model) bounded() (device.Device, error) {
	if m.options.Memory <= 0 {
		return nil, nil
	}
	d, err := m.Device()
	if _, hosted := d.(device.Hosted); !hosted {
		return nil, err
	}
	return d, nil
}

// Fits returns why so many bytes more would be too many for the memory that the model was opened with, or nil. what takes them, in words.
func (m *Model) Fits(bytes int64, what string) error {
	m.running.Lock()
	defer m.running.Unlock()
	d, err := m.bounded()
	if d == nil {
		return err
	}
	if err := m.room(d).take(bytes, what); err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

// LetGo unmaps all pages of weights, so that another model has their room; what is used again is mapped again. Not while something is computed.
func (m *Model) LetGo() {
	m.mapped.Clear()
	m.Tensors.Discard(m.Tensors.Names())
}

// cut is how a walk fits.
type cut struct {
	rows     int   // of a batch
	states   int64 // bytes that hidden tensors may take
	needed   int   // hidden tensors that there are at least
	head     int64 // bytes that the head takes a hidden tensor, of as many as there are at least not from states
	resident bool  // weights stay mapped
}

// cutOf cuts a pass. needed is how many hidden tensors it takes at least.
func (m *Model) cutOf(d device.Device, p *Pass, packed *packing, needed int) (cut, error) {
	if r := m.room(d); r != nil && p.Memory <= 0 {
		return m.cutTo(r, d, p, packed, needed)
	}
	c := cut{rows: p.Rows, states: d.Info().Memory / 2}
	memory := d.Info().Memory
	if p.Memory > 0 {
		memory, c.states = p.Memory, p.Memory
	}
	c.resident = m.bytes() <= memory/2
	return c, nil
}

// cutTo cuts a pass so that it fits into some room.
func (m *Model) cutTo(r *Room, d device.Device, p *Pass, packed *packing, needed int) (c cut, err error) {
	longest := 0
	for i := range packed.groups {
		longest = max(longest, packed.groups[i].rows)
	}
	row := 4 * int64(m.Spec.Hidden) * int64(needed)
	all := int64(packed.rows) * row
	mapped, work := m.mappedAtATime(), int64(0)
	c.needed = needed
	for c.rows = max(min(p.Rows, packed.rows), longest); ; c.rows = max(c.rows/2, longest) {
		if work, err = m.working(d, c.rows); err != nil {
			return c, err
		}
		if packed.scored > 0 {
			c.head = m.headBytes(c.rows)
			work += int64(min(needed, headVariants+1)) * c.head
		}
		// Batches shrink before hidden states have less than what a batch works in.
		if c.rows == longest || mapped+work+min(work, all) <= r.left() {
			break
		}
	}
	if whole := m.bytes(); whole+work+all <= r.left() {
		c.resident, mapped = true, whole
	}
	c.states = r.left() - mapped - work
	if c.states < all {
		least, kept := int64(longest)*row, int64(0)
		if len(p.Observe) > 0 {
			kept = m.recorded(p, packed)
		}
		if p.Trace != nil {
			least = all
		}
		if err := r.take(mapped+work+kept+least, fmt.Sprintf("a walk of sequences of up to %d tokens", longest)); err != nil {
			return c, fmt.Errorf("engine: %w", err)
		}
		c.states -= kept
	}
	return c, nil
}

// Least is what a walk of sequences of so many tokens takes at least, with so many hidden tensors at a time, where memory is bounded.
func (m *Model) Least(tokens, hidden int) (int64, error) {
	d, err := m.Device()
	if err != nil {
		return 0, err
	}
	if _, hosted := d.(device.Hosted); !hosted || m.options.Memory <= 0 {
		return 0, nil
	}
	work, err := m.working(d, tokens)
	if err != nil {
		return 0, err
	}
	return m.mappedAtATime() + work + int64(hidden)*(m.headBytes(tokens)+4*int64(tokens)*int64(m.Spec.Hidden)), nil
}

// recorded is what measurements take that are kept until all sequences have been walked.
func (m *Model) recorded(p *Pass, packed *packing) int64 {
	one := int64(2 << 10)
	if wanted(p.Observe).Last {
		one += 8 * int64(m.Spec.Hidden)
	}
	if p.Halves {
		one *= 2
	}
	return one * int64(len(packed.groups)*m.Layers())
}

// mappedAtATime is the most bytes of weights that a walk has mapped: two layers, or the head, or the embedding.
func (m *Model) mappedAtATime() int64 {
	before, most := int64(0), max(m.storedBytes(m.Spec.Embed.Refs), m.storedBytes(m.Spec.HeadRefs))
	for l := range m.Spec.Blocks {
		now := m.storedBytes(m.Spec.Blocks[l].Refs)
		most = max(most, before+now)
		before = now
	}
	return most
}

// storedBytes is what the tensors that visit reaches take, as they are computed with.
func (m *Model) storedBytes(visit func(func(*arch.Ref))) int64 {
	bytes := int64(0)
	for _, name := range names(visit) {
		if stored, found := m.Tensors.Lookup(name); found {
			bytes += int64(len(stored.Data))
			if stored.Widened() {
				values := int64(5) // what is widened is Go's, and collected some time after it was used
				for _, n := range stored.Shape {
					values *= int64(n)
				}
				bytes += values
			}
		}
	}
	return bytes
}

// headBytes is what the head takes for every hidden tensor: the rows of a tile in a tensor of the pool, the same as the device packs them, and what
// is found of every part of the vocabulary, which is Go's and collected later.
func (m *Model) headBytes(rows int) int64 {
	hidden, tile := int64(m.Spec.Hidden), int64(headRows)
	return 4*hidden*(int64(rows)+tile) + 2*tile*foundBytes*(int64(m.Spec.Vocab)/2048+1)
}

// foundBytes is what a device notes of a row and a part of the vocabulary.
const foundBytes = 64

// working is what batches of so many rows take beside weights, hidden states and the head: the tensors of a block, and what the device works in.
func (m *Model) working(d device.Device, rows int) (int64, error) {
	counting := null.New(device.Options{})
	pool := newPool(counting, rows)
	layout := &device.Layout{Start: []int32{0, int32(rows)}, Prefix: []int32{-1}}
	x, y := counting.NewTensor(rows, m.Spec.Hidden), counting.NewTensor(rows, m.Spec.Hidden)
	widest := m.Spec.Hidden
	for l := range m.Spec.Blocks {
		block := &m.Spec.Blocks[l]
		weights, err := load(counting, nil, m.Tensors, block.Refs)
		if err != nil {
			return 0, err
		}
		for r := range weights.matrices {
			widest = max(widest, r.In)
		}
		f := &forward{device: counting, weights: weights, pool: pool, layout: layout, positions: layout.Positions(), rows: rows}
		seen := f.block(y, x, block, none)
		f.give(seen.attn, seen.mlp, seen.act)
		weights.release()
	}
	bytes := counting.Counts().Tensors
	if hosted, is := d.(device.Hosted); is {
		bytes += hosted.Scratch(rows, widest)
	}
	return bytes, nil
}

// turns parts the sequences so that the hidden tensors needed fit: neighbours together; nil where all fit at once.
func (c *cut) turns(packed *packing, row int64) [][]int {
	if c.states <= 0 || int64(packed.rows)*row <= c.states {
		return nil
	}
	rows := make([]int, len(packed.groups))
	for i := range packed.groups {
		rows[packed.groups[i].sequence] = packed.groups[i].rows
	}
	// As few turns as fit, of about as many rows each.
	most := int(max(c.states/row, 1))
	even := min(most, packed.rows/((packed.rows+most-1)/most)+slices.Max(rows))
	var all [][]int
	var turn []int
	sum := 0
	for s, n := range rows {
		if len(turn) > 0 && sum+n > even {
			all, turn, sum = append(all, turn), nil, 0
		}
		turn, sum = append(turn, s), sum+n
	}
	return append(all, turn)
}

// needed is how many hidden tensors a pass takes at least.
func (p *Pass) needed(variants *variantSet) int {
	most := 1
	for v := range variants.drops {
		group := []int{v}
		if p.Diverge && v > 0 {
			group = []int{0, v}
		}
		peak, _ := variants.sharedWork(group)
		most = max(most, peak)
	}
	return most
}

// hiddenTensors is how many hidden tensors the memory allowed for holds.
func (w *walker) hiddenTensors() int {
	if w.cut.states <= 0 || w.packing.scored == 0 {
		return math.MaxInt
	}
	bytes := int64(w.model.Spec.Hidden) * 4
	left := w.cut.states - int64(w.packing.rows)*bytes
	count := 1
	for left > 0 && count < len(w.variants)+1 {
		if left -= int64(w.packing.scored) * bytes; count >= w.cut.needed && count <= headVariants {
			left -= w.cut.head
		}
		if left >= 0 {
			count++
		}
	}
	return count
}

// countWork fills in the work that lies ahead.
func (w *walker) countWork(groups [][]int) {
	layers := w.model.Layers()
	w.step.Layers = layers
	w.outcome.Passes = len(groups)
	for _, group := range groups {
		walked := group
		if w.pass.Known != nil && group[0] == 0 {
			walked = group[1:]
		}
		_, blocks := w.set.sharedWork(walked)
		w.outcome.Blocks += blocks
		w.step.Total += float64(blocks+len(group)) * float64(w.packing.scored)
	}
	for _, drop := range w.variants {
		w.outcome.Alone += layers - len(drop.Layers())
	}
	w.step.Total += float64((w.packing.rows - w.packing.scored) * (layers - len(w.variants[0].Layers())))
}

// stays says whether an earlier pass has left a layer's weights mapped, and notes that this one will.
func (m *Model) stays(layer int, resident bool) bool {
	if !resident {
		m.mapped.Delete(layer)
		return false
	}
	_, there := m.mapped.LoadOrStore(layer, true)
	return there
}

// done gives weights back that stand at an end of the model.
func (w *walker) done(weights *layerWeights) {
	weights.release()
	if !w.cut.resident {
		w.model.Tensors.Discard(weights.names)
	}
}

// programPages is what of the program itself is mapped, where the system does not say.
const programPages = 48 << 20

func heldByGo(heap *runtime.MemStats) int64 { return int64(heap.Sys-heap.HeapReleased) + programPages }
