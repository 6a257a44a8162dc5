package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unsafe"
)

// splitter cuts a stream at every separator. It looks at each byte a bounded number of times and holds one piece.
type splitter struct {
	from      io.Reader
	separator []byte
	most      int
	buffer    []byte // what is read and not yet returned
	scanned   int    // bytes of it that are known to hold no separator's beginning
	size      int64  // bytes that the stream has, where that is known
	read      int64  // of them
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
		room := max(1<<16, 2*len(s.buffer))
		if left := s.size - s.read; len(s.buffer) > longPiece && left > 0 && left < int64(s.most) {
			room = len(s.buffer) + int(left) + 1<<13 // a long piece ends where the stream does more often than not
		}
		larger := make([]byte, len(s.buffer), room)
		copy(larger, s.buffer)
		s.buffer = larger
	}
	for range 100 {
		n, err := s.from.Read(s.buffer[len(s.buffer):cap(s.buffer)])
		s.buffer, s.read = s.buffer[:len(s.buffer)+n], s.read+int64(n)
		if s.end = err; n > 0 || err != nil {
			return
		}
	}
	s.end = io.ErrNoProgress
}

// longPiece is from how many bytes on a piece is worth some care: it is neither copied nor held twice.
const longPiece = 4 << 20

// text is a piece as a string: of a long one, which is never written to again, the bytes themselves.
func text(piece []byte) string {
	if len(piece) < longPiece {
		return string(piece)
	}
	return unsafe.String(unsafe.SliceData(piece), len(piece))
}

var errLong = errors.New("longer than")

func (s *splitter) tooLong() error { return fmt.Errorf("%w %d bytes", errLong, s.most) }
