package cuda

import (
	"math"
	"unsafe"

	"avssnative/engine/device"
)

const (
	vocabTile = 4096 // tokens of a tile: fixed, because the order of the sums follows from it
	headRows  = 512  // rows computed together: any number gives the same bits
	group     = 64   // columns of a slot (epilogue.cuh)
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
		states, err := d.memory.take(int64(len(h.X)*rows) * int64(unsafe.Sizeof(headState{})))
		if err != nil {
			return err
		}
		found, err := d.memory.take(int64(len(h.X)*len(h.Targets)) * 8)
		if err != nil {
			d.release(&err, states)
			return err
		}
		p := headPlan{head: h, variants: variants, weight: m, bias: bias.at(), rows: rows,
			states: address[headState](states.at), found: address[float64](found.at)}
		if err := d.headQueue(p); err != nil {
			d.release(&err, states, found)
			return err
		}
		d.pending = append(d.pending, d.headPending(h, rows, states, found))
		return nil
	})
}

// headPlan is a head with where its kernels find and leave what.
type headPlan struct {
	head             *device.Head
	variants         []*tensor
	weight           *matrix
	bias             address[float32]
	rows             int
	states           address[headState] // [variants × rows]
	found            address[float64]   // [variants × targets]
	offsets, targets address[int32]     // offsets is 0 where no row wants a token
}

// headQueue queues the kernels of a head.
func (d *gpu) headQueue(p headPlan) error {
	return with(d, p.head.Offsets, func(offsets address[int32]) error {
		return with(d, p.head.Targets, func(targets address[int32]) error {
			if len(p.head.Targets) > 0 {
				p.offsets, p.targets = offsets, targets
			}
			if d.headFuses(p.head, p.weight, p.rows) {
				return d.headFused(p)
			}
			return d.headTiles(p)
		})
	})
}

// headFuses says whether the products keep the logits to themselves. A divergence needs two variants' logits side by side; products that read
// quantised blocks as they are stored only store.
func (d *gpu) headFuses(h *device.Head, m *matrix, rows int) bool {
	return !d.plain && !(h.Diverge && len(h.X) > 1) && !d.readsStored(m, rows)
}

// headFused takes each variant's rows, in portions, through products that reduce their logits to slots, which head_merge adds up.
func (d *gpu) headFused(p headPlan) (err error) {
	h, vocab := p.head, p.weight.weight.Out
	groups, portion := upTo(vocab, group), min(headRows, p.rows)
	block, err := d.memory.take(int64(portion) * int64(groups) * int64(unsafe.Sizeof(logitGroup{})))
	if err != nil {
		return err
	}
	defer d.release(&err, block)
	slots := address[logitGroup](block.at)
	for v, x := range p.variants {
		for row := 0; row < p.rows; row += portion {
			n := min(portion, p.rows-row)
			e := headEpilogue{slots, p.found.plus(v * len(h.Targets)), p.offsets, p.targets, factor(h), h.SoftCap}
			if e.offsets != 0 {
				e.offsets = e.offsets.plus(row)
			}
			if err := d.product(e, x.Slice(row, n).(*tensor), p.weight, 0, vocab, p.bias); err != nil {
				return err
			}
			if err := d.launch(grid(256, upTo(n, 8), 1, 0), kernelHeadMerge(p.states.plus(v*p.rows+row), slots, groups, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

func factor(h *device.Head) float32 {
	if h.Scale == 0 {
		return 1
	}
	return h.Scale
}

// headTiles walks the vocabulary tile by tile, and within a tile the rows in portions.
func (d *gpu) headTiles(p headPlan) (err error) {
	h, m, vocab := p.head, p.weight, p.weight.weight.Out
	width, portion := min(upTo(vocab, group)*group, vocabTile), min(headRows, p.rows)
	block, err := d.memory.take(int64(len(p.variants)*portion*width) * 4)
	if err != nil {
		return err
	}
	defer d.release(&err, block)
	logits := viewOf[float32](block.at, width)
	kernel := kernelHeadTile
	if m.wide {
		kernel = kernelHeadTileF32
	}
	for first := 0; first < vocab; first += width {
		tokens := min(width, vocab-first)
		for row := 0; row < p.rows; row += portion {
			n := min(portion, p.rows-row)
			for v, x := range p.variants {
				dst := view[float32]{logits.at.plus(v * portion * width), logits.ld}
				if err := d.product(storeEpilogue{dst}, x.Slice(row, n).(*tensor), m, first, tokens, 0); err != nil {
					return err
				}
			}
			if err := d.launch(grid(256, n, 1, 0), kernel(p.states, p.found, logits, portion, p.bias, factor(h), h.SoftCap, p.offsets, p.targets,
				len(h.Targets), len(p.variants), flag(h.Diverge), first, tokens, row, p.rows)); err != nil {
				return err
			}
		}
	}
	return nil
}

// headPending is what Sync does about a head.
func (d *gpu) headPending(h *device.Head, rows int, states, found *block) pending {
	list, logits := make([]headState, len(h.X)*rows), make([]float64, len(h.X)*len(h.Targets))
	return pending{blocks: []*block{states, found}, read: func() { headDone(h, rows, list, logits) }, fetch: func() error {
		if err := fetch(d, list, states.at); err != nil {
			return err
		}
		return fetch(d, logits, found.at)
	}}
}

// headDone reads what the kernels found.
func headDone(h *device.Head, rows int, list []headState, logits []float64) {
	for v := range h.X {
		for r := range rows {
			s, out := list[v*rows+r], &h.Rows[v][r]
			out.LogSum, out.Top = float64(s.most)+math.Log(s.sum), s.top
			if v > 0 && h.Diverge {
				out.KL = s.divergence/list[r].sum - h.Rows[0][r].LogSum + out.LogSum
			}
			if h.Offsets == nil {
				continue
			}
			for t := h.Offsets[r]; t < h.Offsets[r+1]; t++ {
				h.LogProbs[v][t] = logits[v*len(h.Targets)+int(t)] - out.LogSum
			}
		}
	}
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
	a.want(h.Offsets[0] == 0 && int(h.Offsets[rows]) == len(h.Targets),
		"offsets from %d to %d, want 0 to %d", h.Offsets[0], h.Offsets[rows], len(h.Targets))
	for r := range rows {
		a.want(h.Offsets[r] <= h.Offsets[r+1], "offsets descend at row %d", r)
	}
	for t, id := range h.Targets {
		a.want(id >= 0 && int(id) < vocab, "token id %d at target %d, vocabulary has %d", id, t, vocab)
	}
}
