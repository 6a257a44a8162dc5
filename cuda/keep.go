package cuda

import (
	"errors"
	"sync"

	"avssnative/engine/device"
)

// Weights stay on the device when a pass is through with them. They are nobody's then: what needs memory takes theirs, that of the one kept last
// first. A walk comes by its layers in the same order every time, so that the one kept longest is the next one wanted: where not all fit, all but
// about two layers of those that do are there again, and the others take turns in the place of these two.

// Keep is Release of a weight whose memory nobody needs yet.
func (d *gpu) Keep(w device.Matrix) {
	m := w.(*matrix)
	<-m.ready
	if m.err != nil || d.sync { // a device that waits for every launch pools nothing
		m.Release()
		return
	}
	m.retire("keep", func() error { return d.memory.keep(m, d.computing) })
}

// Regain takes a weight back.
func (d *gpu) Regain(w device.Matrix) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := w.(*matrix)
	if d.context == 0 || !d.memory.regain(m) {
		return false
	}
	m.released = false
	return true
}

// Kept says whether a weight is still there.
func (d *gpu) Kept(w device.Matrix) bool {
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	return w.(*matrix).kept
}

// blocks are the weight's, those that there are.
func (m *matrix) blocks() []*block {
	var list []*block
	for _, b := range []*block{m.block, m.raw} {
		if b != nil {
			list = append(list, b)
		}
	}
	return list
}

// keep notes a weight whose blocks may be taken. What was queued on stream s before may still use them.
func (m *memory) keep(w *matrix, s stream) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range w.blocks() {
		if err := m.mark(b, s); err != nil {
			return err
		}
	}
	for _, b := range w.blocks() {
		m.used -= b.size
	}
	w.kept = true
	m.kept = append(m.kept, w)
	return nil
}

// regain takes a weight from those that are kept.
func (m *memory) regain(w *matrix) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !w.kept {
		return false
	}
	for i := len(m.kept) - 1; i >= 0; i-- {
		if m.kept[i] == w {
			m.kept = append(m.kept[:i], m.kept[i+1:]...)
		}
	}
	for _, b := range w.blocks() {
		m.used += b.size
	}
	w.kept = false
	return true
}

// spare gives up a kept weight, the one kept last that has a block of such a size: its blocks become idle ones. It says whether there was one;
// size 0 is any.
func (m *memory) spare(size int64) (bool, error) {
	for i := len(m.kept) - 1; i >= 0; i-- {
		w := m.kept[i]
		fits := size == 0
		for _, b := range w.blocks() {
			fits = fits || b.size == size
		}
		if !fits {
			continue
		}
		m.kept = append(m.kept[:i], m.kept[i+1:]...)
		return true, m.giveUp(w)
	}
	return false, nil
}

// giveUp makes the blocks of a weight that is no longer kept idle.
func (m *memory) giveUp(w *matrix) error {
	for _, b := range w.blocks() {
		m.idle[b.size] = append(m.idle[b.size], b)
	}
	w.kept, w.block, w.raw = false, nil, nil
	return m.drv.freeEvent(w.done)
}

// spareAll gives up kept weights until so many bytes more are allowed, or none is left.
func (m *memory) spareAll(size int64) error {
	for m.held+size > m.limit {
		found, err := m.spare(0)
		if err := errors.Join(err, m.trim()); err != nil {
			return err
		}
		if !found {
			return nil
		}
	}
	return nil
}

// lend gives the driver what is idle, and a kept weight. It says whether there was anything.
func (m *memory) lend() (bool, error) {
	idle := false
	for _, list := range m.idle {
		idle = idle || len(list) > 0
	}
	found, err := m.spare(0)
	return found || idle, errors.Join(err, m.trim())
}

// lendAll has others give the driver all that they only keep. One that is busy with its own memory is left alone: it may be waiting for this one.
func lendAll(others []*memory) (found bool, err error) {
	for _, m := range others {
		if !m.mu.TryLock() {
			continue
		}
		for more := true; more && err == nil; found = found || more {
			more, err = m.lend()
		}
		m.mu.Unlock()
	}
	return found, err
}

// opened are the devices of this process: those on one GPU share its memory.
var opened struct {
	mu  sync.Mutex
	all map[*gpu]bool
}

// enter makes the device known to the others, and leave unknown.
func (d *gpu) enter() {
	opened.mu.Lock()
	defer opened.mu.Unlock()
	if opened.all == nil {
		opened.all = map[*gpu]bool{}
	}
	opened.all[d] = true
}

func (d *gpu) leave() {
	opened.mu.Lock()
	defer opened.mu.Unlock()
	delete(opened.all, d)
}

// neighbours are the memories of the others on the same GPU.
func (d *gpu) neighbours() (list []*memory) {
	opened.mu.Lock()
	defer opened.mu.Unlock()
	for other := range opened.all {
		if other != d && other.index == d.index {
			list = append(list, &other.memory)
		}
	}
	return list
}
