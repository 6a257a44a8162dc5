package engine

import (
	"context"
	"fmt"
	"math"
	"slices"

	"avssnative/engine/device"
)

// Streams are the dense model's residual stream at every depth over some text. From them come the sums that bridge any gap by itself, of all the
// gaps there are, after one walk: what a search asks for, which looks at hundreds.
type Streams struct {
	model  *Model
	rows   int
	last   [][]float32 // behind the last layer, a sequence
	depths [][]float32 // [layers+1]: the stream in front of every layer and behind the last, [rows × hidden]
}

// Streams walks the dense model over some text, whose ids alone count. It keeps (layers + 1) · rows · hidden float32 values on the host.
func (m *Model) Streams(ctx context.Context, sequences []Sequence, progress func(Step)) (*Streams, error) {
	m.running.Lock()
	defer m.running.Unlock()
	if err := m.Computable(); err != nil {
		return nil, err
	}
	d, err := m.Device()
	if err != nil {
		return nil, err
	}
	silent := make([]Sequence, len(sequences))
	for i, s := range sequences {
		silent[i] = Sequence{IDs: s.IDs}
	}
	packed, err := pack(silent, m.Spec)
	if err != nil {
		return nil, err
	}
	f := &fitter{model: m, device: d, packing: packed}
	if r := m.room(d); r != nil {
		f.discards = true
		most, _, err := m.streamsBytes(d, packed.rows)
		if err != nil {
			return nil, err
		}
		if err := r.take(most, fmt.Sprintf("the stream of %d tokens at every depth", packed.rows)); err != nil {
			return nil, fmt.Errorf("engine: streams: %w", err)
		}
	}
	s := &Streams{model: m, rows: packed.rows}
	if err := m.unchanged(s.walk(ctx, f, progress)); err != nil {
		return nil, err
	}
	s.last = make([][]float32, len(sequences))
	for i := range packed.groups {
		g, hidden := &packed.groups[i], m.Spec.Hidden
		s.last[g.sequence] = slices.Clone(s.depths[m.Layers()][g.start*hidden : (g.start+g.rows)*hidden])
	}
	return s, nil
}

// StreamsTake is what Streams takes at most of so many tokens beside what the process holds, where that is bounded and the device computes in its
// memory, and what of it stays.
func (m *Model) StreamsTake(tokens int) (most, kept int64, err error) {
	d, err := m.bounded()
	if d == nil || tokens == 0 {
		return 0, 0, err
	}
	return m.streamsBytes(d, tokens)
}

// streamsBytes are those of so many rows: all depths, and the last once more, and what a batch works in.
func (m *Model) streamsBytes(d device.Device, rows int) (most, kept int64, err error) {
	work, err := m.working(d, min(defaultRows, rows))
	if err != nil {
		return 0, 0, err
	}
	kept = 4 * int64(rows) * int64(m.Spec.Hidden) * int64(m.Layers()+2)
	return kept + work + m.mappedAtATime(), kept, nil
}

// walk fills the streams.
func (s *Streams) walk(ctx context.Context, f *fitter, progress func(Step)) error {
	hidden, layers := s.model.Spec.Hidden, s.model.Layers()
	f.batches = f.packing.batches([]int{len(f.packing.groups)}, defaultRows)
	f.pool = newPool(f.device, 1)
	defer f.pool.close()
	f.dense = f.device.NewTensor(s.rows, hidden)
	defer func() {
		f.dense.Free()
		_ = f.device.Sync() // a walk that ended early may have left a failure behind
	}()
	if err := f.embed(); err != nil {
		return err
	}
	keep := func() error {
		at := make([]float32, s.rows*hidden)
		f.device.Download(at, f.dense, 0)
		s.depths = append(s.depths, at)
		return f.device.Sync()
	}
	if err := keep(); err != nil {
		return err
	}
	for layer := range layers {
		loaded, err := f.model.load(f.device, f.model.Tensors, f.model.Spec.Blocks[layer].Refs)
		if err != nil {
			return err
		}
		for _, b := range f.batches {
			if err := ctx.Err(); err != nil {
				f.release(loaded)
				return err
			}
			at := b.spans[0]
			fw, x := f.forward(b, loaded), f.dense.Slice(at.start, at.rows)
			y := fw.take(hidden)
			seen := fw.block(y, x, &f.model.Spec.Blocks[layer], none)
			f.copy(x, y)
			fw.give(y, seen.attn, seen.mlp, seen.act)
		}
		err = f.device.Sync()
		f.release(loaded)
		if err != nil {
			return fmt.Errorf("engine: streams: layer %d: %w", layer, err)
		}
		if err := keep(); err != nil {
			return err
		}
		if progress != nil {
			progress(Step{Layer: layer, Layers: layers, Done: float64(layer + 1), Total: float64(layers), Rows: int64((layer + 1) * s.rows)})
		}
	}
	return nil
}

// Gap is the sums of what layers from..to−1 do to the stream: the Gram of x, the stream in front of them, and of e, what they add, rows counted
// relative to the size of x.
func (s *Streams) Gap(from, to int) (*Gram, error) {
	hidden := s.model.Spec.Hidden
	if from < 0 || to <= from || to > s.model.Layers() {
		return nil, fmt.Errorf("engine: streams: a gap from layer %d to %d: want 0 ≤ from < to ≤ %d", from, to, s.model.Layers())
	}
	inputs, lacks := slices.Clone(s.depths[from]), slices.Clone(s.depths[to])
	for row := range s.rows {
		at, end := row*hidden, (row+1)*hidden
		sum := 0.0
		for i := at; i < end; i++ {
			sum += float64(inputs[i]) * float64(inputs[i])
			lacks[i] -= inputs[i]
		}
		by := float32(1 / math.Sqrt(sum/float64(hidden)+1e-20))
		scale(inputs[at:end], by)
		scale(lacks[at:end], by)
	}
	s.model.running.Lock()
	defer s.model.running.Unlock()
	grams := newGrams(hidden, hidden)
	return grams[0], (&summer{device: s.model.devices[0]}).add(inputs, s.rows, [][]float32{lacks}, nil, grams)
}
