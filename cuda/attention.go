package cuda

import (
	"avssnative/engine/device"
)

// Rope rotates every head of x in place; row i stands at positions[i].
func (d *gpu) Rope(x device.Tensor, r device.Rope, positions []int32) {
	d.do("rope", func() error {
		a := arguments{d: d}
		t := a.tensor("x", x, any_, any_)
		pairs := len(r.Frequencies)
		a.want(r.HeadDim > 0 && t.cols%max(r.HeadDim, 1) == 0, "heads of %d columns in rows of %d", r.HeadDim, t.cols)
		a.want(r.Offset >= 0 && r.Offset+2*pairs <= r.HeadDim, "%d pairs from column %d on in heads of %d", pairs, r.Offset, r.HeadDim)
		a.want(len(positions) == t.rows, "%d positions, want %d", len(positions), t.rows)
		if a.err != nil || t.empty() || pairs == 0 {
			return a.err
		}
		if err := t.wrote(); err != nil {
			return err
		}
		scale, heads := r.Scale, t.cols/r.HeadDim
		if scale == 0 {
			scale = 1
		}
		return fixed(d, positions, func(at address[int32]) error {
			return fixed(d, r.Frequencies, func(frequencies address[float64]) error {
				return d.launch(cells(t.rows, heads*pairs), kernelRope(t.view(), at, frequencies, pairs, heads, r.HeadDim, r.Offset,
					flag(r.Interleaved), scale, t.rows))
			})
		})
	})
}

// maxHead is the widest head that the attention kernels take.
const maxHead = 256

// Attention mixes the rows of each sequence of l.
func (d *gpu) Attention(dst, q, k, v device.Tensor, t device.Attention, l *device.Layout) {
	d.do("attention", func() error {
		a := arguments{d: d}
		a.want(t.Heads > 0 && t.KVHeads > 0 && t.Heads%max(t.KVHeads, 1) == 0, "%d heads with %d key heads", t.Heads, t.KVHeads)
		a.want(t.HeadDim > 0 && t.ValueDim > 0 && t.HeadDim <= maxHead && t.ValueDim <= maxHead,
			"heads of %d, values of %d; at most %d", t.HeadDim, t.ValueDim, maxHead)
		a.want(t.Window >= 0 && t.Chunk >= 0 && t.SoftCap >= 0, "window %d, chunk %d, soft cap %g", t.Window, t.Chunk, t.SoftCap)
		a.want(t.Slopes == nil || len(t.Slopes) == t.Heads, "%d slopes for %d heads", len(t.Slopes), t.Heads)
		a.want(t.Sinks == nil || len(t.Sinks) == t.Heads, "%d sinks for %d heads", len(t.Sinks), t.Heads)
		query := a.tensor("q", q, any_, t.Heads*t.HeadDim)
		cached := query.rows
		if l != nil && l.Keys != nil {
			cached = any_
		}
		key := a.tensor("k", k, cached, t.KVHeads*t.HeadDim)
		value := a.tensor("v", v, key.rows, t.KVHeads*t.ValueDim)
		to := a.tensor("dst", dst, query.rows, t.Heads*t.ValueDim)
		a.apart(to, query, key, value)
		a.layout(l, query.rows)
		if a.err == nil && l.Keys != nil {
			a.err = l.CheckKeys(key.rows, t)
		}
		if a.err != nil || to.empty() {
			return a.err
		}
		p, err := d.placeOf(to, l)
		if err != nil {
			return err
		}
		return fixed(d, t.Slopes, func(slopes address[float32]) error {
			return fixed(d, t.Sinks, func(sinks address[float32]) error {
				if d.compute == device.ComputeF32 {
					return d.attendF32(to, query, key, value, t, p, slopes, sinks)
				}
				return d.attendBF16(to, query, key, value, t, p, slopes, sinks)
			})
		})
	})
}

func (d *gpu) attendF32(to, q, k, v *tensor, t device.Attention, p *placed, slopes, sinks address[float32]) error {
	tiles, err := p.queries(d, 32)
	if err != nil {
		return err
	}
	kernel := kernelAttentionF32_256
	switch {
	case t.ValueDim <= 64:
		kernel = kernelAttentionF32_64
	case t.ValueDim <= 128:
		kernel = kernelAttentionF32_128
	}
	return d.launch(grid(256, tiles.count, t.Heads, sharedAttentionF32(t.HeadDim, t.ValueDim)), kernel(to.view(), q.view(), k.view(), v.view(),
		tiles.at(), slopes, sinks, t.Heads, t.KVHeads, t.HeadDim, t.ValueDim, flag(t.Causal), t.Window, t.Chunk, t.Scale, t.SoftCap))
}

// sharedAttentionF32 is what attention_f32.cu lays out: 32 queries, 16 keys, 16 values, 32×17 weights.
func sharedAttentionF32(head, value int) int {
	return 4 * (32*(head+1) + 16*(head+1) + 16*(value+1) + 32*17)
}

func (d *gpu) attendBF16(to, q, k, v *tensor, t device.Attention, p *placed, slopes, sinks address[float32]) error {
	tiles, err := p.queries(d, 64)
	if err != nil {
		return err
	}
	var copies [3]*narrowed
	for i, x := range []*tensor{q, k, v} {
		heads := t.KVHeads
		if i == 0 {
			heads = t.Heads
		}
		if copies[i], err = d.narrow(x, heads); err != nil {
			return err
		}
	}
	head, value := (t.HeadDim+7)&^7, (t.ValueDim+7)&^7
	kernel := attentionBF16[2]
	for _, fits := range attentionBF16 {
		if head <= fits.width && value <= fits.width {
			kernel = fits
			break
		}
	}
	return d.launch(grid(128, tiles.count, t.Heads, kernel.shared()), kernel.call(to.view(), copies[0].view(), copies[1].view(), copies[2].view(),
		tiles.at(), slopes, sinks, t.Heads, t.KVHeads, head, value, t.ValueDim, flag(t.Causal), t.Window, t.Chunk, t.Scale, t.SoftCap))
}

// attentionKernel is one of the widths of attention_bf16.cu.
type attentionKernel struct {
	name        string
	width, keys int
	call        func(dst view[float32], q, k, v view[bfloat16], tiles address[queryTile], slopes, sinks address[float32],
		heads, kvHeads, dim, valueDim, valueWidth, causal, window, chunk int, scale, softCap float32) kernelCall
}

var attentionBF16 = [3]attentionKernel{
	{"attention_bf16_64", 64, 64, kernelAttentionBF16_64},
	{"attention_bf16_128", 128, 64, kernelAttentionBF16_128},
	{"attention_bf16_256", 256, 32, kernelAttentionBF16_256},
}

// shared is 64 queries and two stages of keys and of values.
func (k attentionKernel) shared() int { return (64 + 4*k.keys) * k.width * 2 }

func init() {
	for _, k := range attentionBF16 {
		largestShared[k.name] = k.shared()
	}
}
