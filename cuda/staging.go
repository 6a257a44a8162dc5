package cuda

import (
	"errors"
	"unsafe"
)

// staging is pinned memory through which values of this program go to the device. The driver may read what it is handed after the call returns,
// and on some systems (Grace Hopper, heterogeneous memory management) reads it where it lies: a Go value may be something else by then.
//
// Two halves are filled in turn. A half is filled again when the copies from it have ended.
type staging struct {
	d      *gpu
	halves [2]stagingHalf
	now    int // the half in use
	at     int // where its free part begins
}

type stagingHalf struct {
	host []byte
	free event // recorded behind its last copy
	used bool
}

// halfBytes is more than an operation's indices and parameters take; a tensor goes in pieces.
const halfBytes = 1 << 20

func newStaging(d *gpu) (*staging, error) {
	s := &staging{d: d}
	for i := range s.halves {
		h := &s.halves[i]
		p, err := d.drv.allocPinned(halfBytes)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		h.host = unsafe.Slice((*byte)(p), halfBytes)
		if h.free, err = d.drv.newEvent(false); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// send queues a copy to the device on the compute stream. The values may change once it returns.
func (s *staging) send(to pointer, values []byte) error {
	for len(values) > 0 {
		h := &s.halves[s.now]
		if s.at == len(h.host) {
			if err := s.turn(); err != nil {
				return err
			}
			continue
		}
		n := copy(h.host[s.at:], values)
		if err := s.d.drv.toDevice(to, unsafe.Pointer(&h.host[s.at]), int64(n), s.d.computing); err != nil {
			return err
		}
		s.at = min(len(h.host), s.at+(n+255)&^255)
		to, values = to+pointer(n), values[n:]
	}
	return nil
}

// turn goes on to the other half.
func (s *staging) turn() error {
	h := &s.halves[s.now]
	if err := s.d.drv.record(h.free, s.d.computing); err != nil {
		return err
	}
	h.used = true
	next := &s.halves[1-s.now]
	if next.used {
		if err := s.d.drv.waitEvent(next.free); err != nil {
			return err
		}
	}
	s.now, s.at = 1-s.now, 0
	return nil
}

// close gives the memory back; nothing may be on its way.
func (s *staging) close() (err error) {
	for i := range s.halves {
		h := &s.halves[i]
		if h.host != nil {
			err = errors.Join(err, s.d.drv.freePinned(unsafe.Pointer(&h.host[0])))
		}
		if h.free != 0 {
			err = errors.Join(err, s.d.drv.freeEvent(h.free))
		}
	}
	*s = staging{d: s.d}
	return err
}

// bytesOf is the memory of values.
func bytesOf[T any](values []T) []byte {
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), len(values)*int(unsafe.Sizeof(values[0])))
}
