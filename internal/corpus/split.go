package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// splitter cuts a stream at every separator. It looks at each byte a bounded number of times and holds one piece.
type splitter struct {
	from      io.Reader
	separator []byte
	most      int
	buffer    []byte // what is read and not yet returned
	scanned   int    // bytes of it that are known to hold no separator's beginning
	end       error  // io.EOF or what else ended the stream
	found     bool   // a separator has been seen
}

func newSplitter(from io.Reader, separator string, most int) *splitter {
	return &splitter{from: from, separator: []byte(separator), most: most, buffer: make([]byte, 0, 1<<16)}
}

// next returns the bytes up to the next separator, valid until the call after; last with what follows the last one.
func (s *splitter) next() (piece []byte, last bool, err error) {
	for {
		if at := bytes.Index(s.buffer[s.scanned:], s.separator); at >= 0 {
			at += s.scanned
			piece = s.buffer[:at:at]
			s.buffer, s.scanned, s.found = s.buffer[at+len(s.separator):], 0, true
			if len(piece) > s.most {
				return nil, false, s.tooLong()
			}
			return piece, false, nil
		}
		s.scanned = max(0, len(s.buffer)-len(s.separator)+1)
		if len(s.buffer) > s.most+len(s.separator) {
			return nil, false, s.tooLong()
		}
		if s.end == io.EOF {
			if len(s.buffer) > s.most {
				return nil, false, s.tooLong()
			}
			return s.buffer, true, nil
		}
		if s.end != nil {
			return nil, false, s.end
		}
		s.fill()
	}
}

// fill reads once. The rest of a piece moves into a new buffer, so that a piece returned earlier stays as it is.
func (s *splitter) fill() {
	if cap(s.buffer)-len(s.buffer) < 1<<12 {
		larger := make([]byte, len(s.buffer), max(1<<16, 2*len(s.buffer)))
		copy(larger, s.buffer)
		s.buffer = larger
	}
	for range 100 {
		n, err := s.from.Read(s.buffer[len(s.buffer):cap(s.buffer)])
		s.buffer = s.buffer[:len(s.buffer)+n]
		if s.end = err; n > 0 || err != nil {
			return
		}
	}
	s.end = io.ErrNoProgress
}

var errLong = errors.New("longer than")

func (s *splitter) tooLong() error { return fmt.Errorf("%w %d bytes", errLong, s.most) }
