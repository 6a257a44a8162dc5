package cuda

import (
	"errors"
	"math/bits"
	"sync"

	"avssnative/failure"
)

// memory hands out device memory and keeps what comes back for the next who asks: an allocation by the driver waits for the whole GPU.
// Sizes are rounded up to a quarter of a power of two, so that at most a fifth is wasted. All work on one stream happens in order, so that a
// block may be given out again while the last operation on it is still queued; the copy stream, which runs beside, waits for an event
// recorded when the block came back.
type memory struct {
	drv    driver
	limit  int64
	pooled bool
	others func() []*memory // of this process on the same GPU; nil: none

	mu     sync.Mutex
	held   int64 // allocated from the driver
	used   int64 // of it, given out
	idle   map[int64][]*block
	kept   []*matrix // weights that nobody uses at present (keep.go), the one kept last at the end
	blocks map[*block]struct{}
}

// block is a piece of device memory.
type block struct {
	at    pointer
	bytes int64 // as asked for
	size  int64 // as allocated
	freed event // recorded on the compute stream when it came back; 0: never
}

func roundUp(n int64) int64 {
	if n <= 256 {
		return 256
	}
	step := int64(1) << (bits.Len64(uint64(n-1)) - 3)
	return (n + step - 1) / step * step
}

// take gives a block of at least the bytes asked for.
func (m *memory) take(bytes int64) (*block, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := max(bytes, 4)
	if m.pooled {
		size = roundUp(bytes)
		b, err := m.pool(size)
		if err != nil {
			return nil, err
		}
		if b != nil {
			b.bytes = bytes
			m.used += size
			return b, nil
		}
	}
	if m.held+size > m.limit {
		return nil, failure.Memory.Errorf("out of memory: want %d bytes more, %d of %d are in use", size, m.held, m.limit)
	}
	at, err := m.alloc(size)
	if err != nil {
		return nil, err
	}
	b := &block{at: at, bytes: bytes, size: size}
	m.held, m.used = m.held+size, m.used+size
	if m.blocks == nil {
		m.blocks, m.idle = map[*block]struct{}{}, map[int64][]*block{}
	}
	m.blocks[b] = struct{}{}
	return b, nil
}

// pool gives an idle block of a size, nil where there is none and one may be allocated. What is kept goes before anything is allocated that the
// limit does not allow: a block of that very size where there is one, which costs no call that waits for the GPU.
func (m *memory) pool(size int64) (*block, error) {
	if len(m.idle[size]) == 0 && m.held+size > m.limit {
		found, err := m.spare(size)
		if err != nil {
			return nil, err
		}
		if !found {
			if err := m.trim(); err != nil {
				return nil, err
			}
			return nil, m.spareAll(size)
		}
	}
	list := m.idle[size]
	if len(list) == 0 {
		return nil, nil
	}
	m.idle[size] = list[:len(list)-1]
	return list[len(list)-1], nil
}

// alloc allocates; where the device has no more, what is only kept for later goes first.
func (m *memory) alloc(size int64) (pointer, error) {
	for {
		at, err := m.drv.alloc(size)
		s, is := err.(status)
		if !is || s.code != statusOutOfMemory {
			return at, err
		}
		found, failed := m.lend()
		if failed != nil {
			return 0, failed
		}
		if !found && m.others != nil {
			if found, failed = lendAll(m.others()); failed != nil {
				return 0, failed
			}
		}
		if !found {
			return 0, failure.Memory.Errorf("out of memory: want %d bytes more, this program holds %d of the device's: %w", size, m.held, err)
		}
	}
}

// give takes a block back. What was queued on stream s before may still use it.
func (m *memory) give(b *block, s stream) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, mine := m.blocks[b]; !mine {
		return nil
	}
	m.used -= b.size
	if !m.pooled {
		if err := m.drv.waitStream(s); err != nil {
			return err
		}
		return m.drop(b)
	}
	m.idle[b.size] = append(m.idle[b.size], b)
	return m.mark(b, s)
}

// mark records the event behind which a block is nobody's.
func (m *memory) mark(b *block, s stream) error {
	if b.freed == 0 {
		e, err := m.drv.newEvent(false)
		if err != nil {
			return err
		}
		b.freed = e
	}
	return m.drv.record(b.freed, s)
}

// trim gives all idle blocks back to the driver, whose cuMemFree waits until nothing uses them.
func (m *memory) trim() error {
	for size, list := range m.idle {
		for _, b := range list {
			if err := m.drop(b); err != nil {
				return err
			}
		}
		delete(m.idle, size)
	}
	return nil
}

func (m *memory) drop(b *block) error {
	delete(m.blocks, b)
	m.held -= b.size
	var err error
	if b.freed != 0 {
		err = m.drv.freeEvent(b.freed)
	}
	return errors.Join(err, m.drv.free(b.at))
}

func (m *memory) freeAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.kept {
		_ = m.giveUp(w)
	}
	for b := range m.blocks {
		_ = m.drop(b)
	}
	m.idle, m.kept = nil, nil
}
