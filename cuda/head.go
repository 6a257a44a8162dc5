package cuda

import (
	"math"

	"avssnative/engine/device"
)

const (
	vocabTile = 4096 // tokens of a tile: fixed, because the order of the sums follows from it
	headRows  = 512  // rows computed together: any number gives the same bits
	group     = 64   // columns of a slot (finish.cuh)
)

// headState is head.cu's HeadState.
type headState struct {
	sum, divergence float64
	most            float32
	top             int32
}

// Head fills h.Rows and h.LogProbs once Sync has returned.
func (d *gpu) Head(h *device.Head) {
	d.do("head", func() error {
		a := arguments{d: d}
		m := a.matrix("weight", h.Weight)
		a.want(len(h.X) > 0, "no rows")
		a.want(a.err != nil || m.weight.Out > 0, "empty vocabulary")
		rows, variants := any_, make([]*tensor, len(h.X))
		for v, x := range h.X {
			variants[v] = a.tensor("x", x, rows, m.weight.In)
			rows = variants[v].rows
		}
		bias := a.optional("bias", h.Bias, 1, m.weight.Out)
		a.want(h.SoftCap >= 0, "soft cap %g", h.SoftCap)
		a.targets(h, rows, m.weight.Out)
		if a.err != nil {
			return a.err
		}
		h.Rows, h.LogProbs = make([][]device.HeadRow, len(h.X)), make([][]float64, len(h.X))
		for v := range h.X {
			h.Rows[v], h.LogProbs[v] = make([]device.HeadRow, rows), make([]float64, len(h.Targets))
		}
		if rows == 0 {
			return nil
		}
		states, err := d.memory.take(int64(len(h.X)*rows) * 24)
		if err != nil {
			return err
		}
		found, err := d.memory.take(int64(len(h.X)*len(h.Targets)) * 8)
		if err != nil {
			return err
		}
		err = with(d, h.Offsets, func(offsets uint64) error {
			return with(d, h.Targets, func(targets uint64) error {
				if len(h.Targets) == 0 {
					offsets = 0
				}
				if d.headFuses(h, m, rows) {
					return d.headFused(h, variants, m, bias, uint64(states.at), uint64(found.at), offsets, targets)
				}
				return d.headTiles(h, variants, m, bias, uint64(states.at), uint64(found.at), offsets, targets)
			})
		})
		if err != nil {
			return err
		}
		d.pending = append(d.pending, func() error { return d.headDone(h, rows, states, found) })
		return nil
	})
}

// headFuses says whether the products keep the logits to themselves. A divergence needs two variants' logits side by side; products that read
// quantised blocks as they are stored only store.
func (d *gpu) headFuses(h *device.Head, m *matrix, rows int) bool {
	return !d.plain && !(h.Diverge && len(h.X) > 1) && !d.readsStored(m, rows)
}

// headFused takes each variant's rows, in portions, through products that reduce their logits to slots, which head_merge adds up.
func (d *gpu) headFused(h *device.Head, variants []*tensor, m *matrix, bias *tensor, states, found, offsets, targets uint64) error {
	rows, groups := variants[0].rows, upTo(m.weight.Out, group)
	room := min(headRows, rows)
	slots, err := d.memory.take(int64(room) * int64(groups) * 16)
	if err != nil {
		return err
	}
	for v, x := range variants {
		for row := 0; row < rows; row += room {
			n := min(room, rows-row)
			wanted := offsets
			if wanted != 0 {
				wanted += 4 * uint64(row)
			}
			f := finish{"_head", []uint64{uint64(slots.at), found + 8*uint64(v*len(h.Targets)), wanted, targets, real(factor(h)), real(h.SoftCap)}}
			if err := d.finished(f, x.Slice(row, n).(*tensor), m, 0, m.weight.Out, bias.at()); err != nil {
				return err
			}
			if err := d.launch("head_merge", grid(256, upTo(n, 8), 1, 0), states+24*uint64(v*rows+row), uint64(slots.at), number(groups), number(n)); err != nil {
				return err
			}
		}
	}
	return d.memory.give(slots, d.computing)
}

func factor(h *device.Head) float32 {
	if h.Scale == 0 {
		return 1
	}
	return h.Scale
}

// headTiles walks the vocabulary tile by tile, and within a tile the rows in portions.
func (d *gpu) headTiles(h *device.Head, variants []*tensor, m *matrix, bias *tensor, states, found, offsets, targets uint64) error {
	rows, vocab := variants[0].rows, m.weight.Out
	width, room := min(upTo(vocab, group)*group, vocabTile), min(headRows, rows)
	logits, err := d.memory.take(int64(len(variants)*room*width) * 4)
	if err != nil {
		return err
	}
	kernel := "head_tile"
	if m.wide {
		kernel = "head_tile_f32"
	}
	for first := 0; first < vocab; first += width {
		tokens := min(width, vocab-first)
		for row := 0; row < rows; row += room {
			n := min(room, rows-row)
			for v, x := range variants {
				part := x.Slice(row, n).(*tensor)
				if err := d.product(uint64(logits.at)+4*uint64(v*room*width), width, part, m, first, tokens, 0); err != nil {
					return err
				}
			}
			if err := d.launch(kernel, grid(256, n, 1, 0), states, found, uint64(logits.at), number(width), number(room), bias.at(), real(factor(h)), real(h.SoftCap),
				offsets, targets, number(len(h.Targets)), number(len(variants)), flag(h.Diverge), number(first), number(tokens), number(row), number(rows)); err != nil {
				return err
			}
		}
	}
	return d.memory.give(logits, d.computing)
}

func (d *gpu) headDone(h *device.Head, rows int, states, found *block) error {
	list := make([]headState, len(h.X)*rows)
	if err := download(d, list, states.at); err != nil {
		return err
	}
	logits := make([]float64, len(h.X)*len(h.Targets))
	if err := download(d, logits, found.at); err != nil {
		return err
	}
	for v := range h.X {
		for r := range rows {
			s, out := list[v*rows+r], &h.Rows[v][r]
			out.LogSum, out.Top = float64(s.most)+math.Log(s.sum), s.top
			if v > 0 && h.Diverge {
				out.KL = s.divergence/list[r].sum - h.Rows[0][r].LogSum + out.LogSum
			}
			if h.Offsets != nil {
				for t := h.Offsets[r]; t < h.Offsets[r+1]; t++ {
					h.LogProbs[v][t] = logits[v*len(h.Targets)+int(t)] - out.LogSum
				}
			}
		}
	}
	for _, b := range []*block{states, found} {
		if err := d.memory.give(b, d.computing); err != nil {
			return err
		}
	}
	return nil
}

// targets complains about targets that are none of the vocabulary or not shared out among the rows.
func (a *arguments) targets(h *device.Head, rows, vocab int) {
	if h.Offsets == nil && len(h.Targets) == 0 || a.err != nil {
		return
	}
	a.want(len(h.Offsets) == rows+1, "%d offsets, want %d", len(h.Offsets), rows+1)
	if a.err != nil {
		return
	}
	a.want(h.Offsets[0] == 0 && int(h.Offsets[rows]) == len(h.Targets), "offsets from %d to %d, want 0 to %d", h.Offsets[0], h.Offsets[rows], len(h.Targets))
	for r := range rows {
		a.want(h.Offsets[r] <= h.Offsets[r+1], "offsets descend at row %d", r)
	}
	for t, id := range h.Targets {
		a.want(id >= 0 && int(id) < vocab, "token id %d at target %d, vocabulary has %d", id, t, vocab)
	}
}
