package cuda

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"avssnative/engine/device"
	"avssnative/failure"
)

// uploader brings weights to the device beside the computation: goroutines copy a piece of the mapped file into pinned memory, the copy stream
// takes it from there to the device, and a kernel on the same stream converts it. So many pieces are on the way at a time that the next is there
// when the bus is through with one, and each is copied by so many goroutines that the bus is the slower of the two.
type uploader struct {
	d      *gpu
	jobs   chan *matrix
	over   sync.WaitGroup
	stages [4]stage
	next   int
}

// stage is one piece on its way.
type stage struct {
	host []byte
	raw  *block
	free event // recorded behind the piece's last use
	used bool
}

const (
	pieceBytes  = 8 << 20 // copied at a time; a row of a weight may be longer
	copiers     = 4       // goroutines that copy a piece: one core copies 10 GB/s or so, PCIe 5.0 takes 50
	leastCopied = 1 << 20 // bytes for which a goroutine is worth starting
)

func newUploader(d *gpu) (*uploader, error) {
	u := &uploader{d: d, jobs: make(chan *matrix, 64)}
	for i := range u.stages {
		var err error
		if u.stages[i].free, err = d.drv.newEvent(false); err != nil {
			for _, made := range u.stages[:i] {
				err = errors.Join(err, d.drv.freeEvent(made.free))
			}
			return nil, err
		}
	}
	u.over.Add(1)
	go u.run()
	return u, nil
}

func (u *uploader) add(m *matrix) { u.jobs <- m }

func (u *uploader) run() {
	defer u.over.Done()
	for m := range u.jobs {
		if err := u.d.bound(func() error { return u.bring(m) }); err != nil {
			m.err = fmt.Errorf("%s: upload: %w", m.weight.Name, err)
		}
		close(m.ready)
	}
}

func (u *uploader) close() {
	close(u.jobs)
	u.over.Wait()
	_ = u.d.bound(func() error {
		err := u.d.drv.waitStream(u.d.copying)
		for i := range u.stages {
			s := &u.stages[i]
			if s.host != nil {
				err = errors.Join(err, u.d.drv.freePinned(unsafe.Pointer(&s.host[0])))
			}
			err = errors.Join(err, u.d.drv.freeEvent(s.free))
		}
		return err
	})
}

// bring queues everything that fills one matrix.
func (u *uploader) bring(m *matrix) error {
	d := u.d
	first := m.block
	if m.raw != nil {
		first = m.raw
	}
	if first.freed != 0 { // its last owner's work may still be queued
		if err := d.drv.after(d.copying, first.freed); err != nil {
			return err
		}
	}
	w := m.weight
	if w.Out > 0 && w.In > 0 {
		segments := w.Segments
		if segments == nil {
			segments = []device.Segment{{At: 0, Count: w.Out}}
		}
		var err error
		if w.Transposed {
			err = u.bringTransposed(m, segments)
		} else {
			err = u.bringRows(m, segments)
		}
		if err != nil {
			return err
		}
	}
	return d.drv.record(m.done, d.copying)
}

// bringRows uploads runs of stored rows, as many at a time as a piece holds.
func (u *uploader) bringRows(m *matrix, segments []device.Segment) error {
	w := m.weight
	values, bytes, err := w.Type.Block()
	if err != nil {
		return err
	}
	line, last := w.Stride/values*bytes, w.In/values*bytes // from row to row, and of the last one
	to := 0
	for _, s := range segments {
		for done := 0; done < s.Count; {
			rows := min(s.Count-done, max(1, pieceBytes/line))
			first := (s.At + done) * line
			data := w.Data[first : first+(rows-1)*line+last]
			if m.raw != nil { // kept as it is
				if _, err := u.piece(data, m.raw.at+pointer(to*line)); err != nil {
					return err
				}
				if err := u.sent(); err != nil {
					return err
				}
				to, done = to+rows, done+rows
				continue
			}
			raw, err := u.piece(data, 0)
			if err != nil {
				return err
			}
			dst := viewOf[byte](m.at(to), m.pitch)
			c := kernelConvert(dst, flag(m.wide), viewOf[byte](raw, w.Stride), storedAs[w.Type], rows, w.In, m.pitch)
			if values > 1 {
				c = kernelDequantise(dst, flag(m.wide), viewOf[byte](raw, line), quantisedAs[w.Type], 1, rows, w.In, m.pitch)
			}
			if err := u.d.launchOn(u.d.copying, cells(rows, m.pitch), c); err != nil {
				return err
			}
			if err := u.sent(); err != nil {
				return err
			}
			to, done = to+rows, done+rows
		}
	}
	return nil
}

// bringTransposed uploads stored lines (columns of the weight), as many at a time as a piece holds.
func (u *uploader) bringTransposed(m *matrix, segments []device.Segment) error {
	w := m.weight
	_, bytes, err := w.Type.Block()
	if err != nil {
		return err
	}
	line := w.Stride * bytes
	for done := 0; done < w.In; {
		lines := min(w.In-done, max(1, pieceBytes/line))
		raw, err := u.piece(w.Data[done*line:min(len(w.Data), (done+lines)*line)], 0)
		if err != nil {
			return err
		}
		padded, to := lines, 0
		if done+lines == w.In {
			padded = m.pitch - done
		}
		for _, s := range segments {
			dst := viewOf[byte](m.at(to)+pointer(int64(done)*m.size()), m.pitch)
			tiles := shape{[2]int{upTo(s.Count, 32), upTo(padded, 32)}, [2]int{32, 8}, 0}
			c := kernelConvertTransposed(dst, flag(m.wide), viewOf[byte](raw+pointer(s.At*bytes), w.Stride), storedAs[w.Type], s.Count, lines, padded)
			if err := u.d.launchOn(u.d.copying, tiles, c); err != nil {
				return err
			}
			to += s.Count
		}
		if err := u.sent(); err != nil {
			return err
		}
		done += lines
	}
	return nil
}

// piece copies bytes to the device by way of the next stage, and says where they will lie: at the address given, or, where that is 0, in
// the stage's own memory.
func (u *uploader) piece(data []byte, to pointer) (pointer, error) {
	s, err := u.stage(len(data))
	if err != nil {
		return 0, err
	}
	spread(s.host, data)
	if to == 0 {
		to = s.raw.at
	}
	return to, u.d.drv.toDevice(to, unsafe.Pointer(&s.host[0]), int64(len(data)), u.d.copying)
}

// stage is the next one, with so much memory. Where the device has none left for it, it is another that has as much, or has what smaller ones give
// up: one stage is enough, with fewer pieces on the way.
func (u *uploader) stage(bytes int) (*stage, error) {
	s, wanted := &u.stages[u.next], max(bytes, min(pieceBytes, 2*bytes))
	if err := u.through(s); err != nil || len(s.host) >= bytes {
		return s, err
	}
	err := u.grow(s, wanted)
	for i := 1; i < len(u.stages) && errors.Is(err, failure.Memory); i++ {
		at := (u.next + i) % len(u.stages)
		other := &u.stages[at]
		if err := u.through(other); err != nil {
			return nil, err
		}
		if len(other.host) >= bytes {
			u.next = at
			return other, nil
		}
		if err := u.shed(other); err != nil {
			return nil, err
		}
		err = u.grow(s, wanted)
	}
	return s, err
}

// through waits for the last use of a stage.
func (u *uploader) through(s *stage) error {
	if !s.used {
		return nil
	}
	return u.d.drv.waitEvent(s.free)
}

// spread copies bytes by several goroutines.
func spread(to, from []byte) {
	share := max(upTo(len(from), copiers), leastCopied)
	var over sync.WaitGroup
	for len(from) > share {
		a, b := to[:share], from[:share]
		over.Go(func() { copy(a, b) })
		to, from = to[share:], from[share:]
	}
	copy(to, from)
	over.Wait()
}

// shed gives a stage's memory back. What has been given back is no longer the stage's, whatever fails behind it.
func (u *uploader) shed(s *stage) error {
	d := u.d
	if raw := s.raw; raw != nil {
		s.raw = nil
		if err := d.memory.give(raw, d.copying); err != nil {
			return err
		}
	}
	if host := s.host; host != nil {
		s.host = nil
		return d.drv.freePinned(unsafe.Pointer(&host[0]))
	}
	return nil
}

func (u *uploader) grow(s *stage, bytes int) error {
	d := u.d
	err := u.shed(s)
	if err != nil {
		return err
	}
	if s.raw, err = d.memory.take(int64(bytes)); err != nil {
		return err
	}
	if s.raw.freed != 0 {
		if err := d.drv.after(d.copying, s.raw.freed); err != nil {
			return err
		}
	}
	p, err := d.drv.allocPinned(int64(bytes))
	if err != nil {
		return err
	}
	s.host = unsafe.Slice((*byte)(p), bytes)
	return nil
}

// sent marks the end of what reads the current piece, and goes to the next stage.
func (u *uploader) sent() error {
	s := &u.stages[u.next]
	s.used, u.next = true, (u.next+1)%len(u.stages)
	return u.d.drv.record(s.free, u.d.copying)
}

// How kernels number the stored types: convert.cu and quantised.cuh.
var (
	storedAs    = map[device.DType]int{device.F32: fromF32, device.F16: 1, device.BF16: 2, device.F64: 3}
	quantisedAs = map[device.DType]int{device.Q4_0: 0, device.Q4_1: 1, device.Q5_0: 2, device.Q5_1: 3, device.Q8_0: 4,
		device.Q2_K: 5, device.Q3_K: 6, device.Q4_K: 7, device.Q5_K: 8, device.Q6_K: 9}
)

const fromF32 = 0
