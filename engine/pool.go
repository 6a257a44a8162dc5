package engine

import (
	"avssnative/engine/device"
)

// pool keeps a pass's working tensors, so that a batch costs no allocation. Tensors are handed out as views of whole ones, which makes any
// of them fit a smaller request of the same width.
type pool struct {
	device device.Device
	rows   int                             // rows a new tensor has at least
	free   map[int][]device.Tensor         // by columns
	whole  map[device.Tensor]device.Tensor // view → what it was cut from
}

func newPool(d device.Device, rows int) *pool {
	return &pool{device: d, rows: rows, free: map[int][]device.Tensor{}, whole: map[device.Tensor]device.Tensor{}}
}

// take is a tensor [rows × cols] with any contents.
func (p *pool) take(rows, cols int) device.Tensor {
	free := p.free[cols]
	for i := len(free) - 1; i >= 0; i-- {
		if free[i].Rows() >= rows {
			t := free[i]
			free[i] = free[len(free)-1]
			p.free[cols] = free[:len(free)-1]
			return p.view(t, rows)
		}
	}
	return p.view(p.device.NewTensor(max(rows, p.rows), cols), rows)
}

func (p *pool) view(t device.Tensor, rows int) device.Tensor {
	v := t.Slice(0, rows)
	p.whole[v] = t
	return v
}

// give returns a tensor that take handed out.
func (p *pool) give(v device.Tensor) {
	t, ours := p.whole[v]
	if !ours {
		panic("engine: tensor returned to a pool that did not make it")
	}
	delete(p.whole, v)
	p.free[t.Cols()] = append(p.free[t.Cols()], t)
}

// outstanding is what take has handed out and not got back.
func (p *pool) outstanding() map[device.Tensor]bool {
	out := map[device.Tensor]bool{}
	for v := range p.whole {
		out[v] = true
	}
	return out
}

// reclaim takes back what was handed out since.
func (p *pool) reclaim(before map[device.Tensor]bool) {
	for v := range p.whole {
		if !before[v] {
			p.give(v)
		}
	}
}

// close frees everything.
func (p *pool) close() {
	for _, tensors := range p.free {
		for _, t := range tensors {
			t.Free()
		}
	}
	for _, t := range p.whole {
		t.Free()
	}
}
