package corpus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
)

// The parquet library decodes a page by what the page says of itself: a run of 2^31 equal values takes five bytes, a packed block may
// unpack to any length. Each page is therefore unpacked here once, within the size its header gives, and its runs are counted, before the
// library sees it (https://parquet.apache.org/docs/file-format/data-pages).
const (
	maxPage   = 256 << 20 // bytes, unpacked
	maxValues = 1 << 22
	maxHeader = 64 << 20 // bytes; the least and the greatest text of the page may be in it

	maxElements = 1 << 18 // in the lists of one row
	elementSize = 64      // bytes that an element of a list takes when it is read
)

// Numbers of the format's codecs and encodings.
const (
	codecNone   = 0
	codecSnappy = 1
	codecGzip   = 2
	codecZstd   = 6

	plain             = 0
	plainDictionary   = 2
	runLength         = 3
	deltaBinaryPacked = 5
	deltaLengthBytes  = 6
	dictionary        = 8
	byteStreamSplit   = 9
)

// pageHeader is what a page's header says.
type pageHeader struct {
	unpacked, packed    int64
	values              int64
	encoding            int64
	levelEncodings      [2]int64 // of repetition and definition, in a page of version 1
	levels              [2]int64 // bytes of the same, in a page of version 2
	isDictionary, isTwo bool
	compressed          bool
}

// readPageHeader reads a header and returns its length.
func readPageHeader(data []byte) (h pageHeader, length int, err error) {
	h = pageHeader{unpacked: -1, packed: -1, values: -1, encoding: -1, compressed: true}
	w := &walker{data: data, number: func(path [3]int16, value int64) {
		switch path {
		case [3]int16{2}:
			h.unpacked = value
		case [3]int16{3}:
			h.packed = value
		case [3]int16{5, 1}, [3]int16{7, 1}, [3]int16{8, 1}: // data page, dictionary, data page of version 2
			h.values = value
			h.isDictionary, h.isTwo = path[0] == 7, path[0] == 8
		case [3]int16{5, 2}, [3]int16{7, 2}, [3]int16{8, 4}:
			h.encoding = value
		case [3]int16{5, 4}:
			h.levelEncodings[0] = value
		case [3]int16{5, 3}:
			h.levelEncodings[1] = value
		case [3]int16{8, 6}:
			h.levels[0] = value
		case [3]int16{8, 5}:
			h.levels[1] = value
		case [3]int16{8, 7}:
			h.compressed = value != 0
		}
	}}
	err = w.structure([3]int16{}, 0)
	return h, w.at, err
}

// chunk is one column of a row group, whose pages are checked one after the other.
type chunk struct {
	table      *table
	group      int
	leaf       *parquet.Column
	codec      int64
	start, end int64 // in the file

	held     []byte // the page with its header that was checked last
	heldAt   int64  // where it begins
	counted  int64  // up to here pages have been counted
	elements int64  // of the row that the last page ends with
	longest  int64  // most elements of a row so far
}

func (c *chunk) rewind() { c.held, c.heldAt, c.elements = nil, c.start, 0 }

func (c *chunk) fail(err error) error {
	return fmt.Errorf("row group %d, column %.80q: %w", c.group, c.leaf.Name(), err)
}

// readAt gives the library bytes of the chunk. It asks for one page after the other, and for the first again if that is the dictionary.
func (c *chunk) readAt(data []byte, offset int64) (int, error) {
	if offset < c.heldAt {
		c.rewind()
	}
	n := 0
	for n < len(data) {
		at := offset + int64(n) - c.heldAt
		if at < int64(len(c.held)) {
			n += copy(data[n:], c.held[at:])
			continue
		}
		if c.heldAt+int64(len(c.held)) >= c.end {
			return n, io.EOF
		}
		if err := c.advance(); err != nil {
			return n, c.fail(err)
		}
	}
	return n, nil
}

// advance reads and checks the next page.
func (c *chunk) advance() error {
	t, at := c.table, c.heldAt+int64(len(c.held))
	left := c.end - at
	var head []byte
	var h pageHeader
	// Statistics make a header as long as two texts, but seldom do.
	for size := int64(1 << 12); ; size *= 16 {
		var err error
		if head, err = readAt(t.ctx, t.file, min(size, left), at); err != nil {
			return err
		}
		var n int
		if h, n, err = readPageHeader(head); err == nil {
			head = head[:n]
			break
		}
		if size >= left {
			return err
		}
		if size >= maxHeader {
			return fmt.Errorf("a page's header of more than %d bytes is not read", maxHeader)
		}
	}
	if h.packed < 0 || h.packed > left-int64(len(head)) || h.unpacked < 0 || h.unpacked > maxPage || h.values < 0 || h.values > maxValues {
		return fmt.Errorf("damaged: a page of %d values, %d bytes, %d unpacked; %d bytes are left, and at most %d unpacked and %d values are read",
			h.values, h.packed, h.unpacked, left-int64(len(head)), maxPage, maxValues)
	}
	if at >= c.counted {
		c.counted = at + int64(len(head)) + h.packed
		t.unpacked += h.unpacked
		if c.leaf.MaxRepetitionLevel() > 0 && !h.isDictionary {
			t.unpacked += h.values * elementSize
		}
		if err := unfolded(t.size, t.unpacked); err != nil {
			return err
		}
	}
	body, err := readAt(t.ctx, t.file, h.packed, at+int64(len(head)))
	if err != nil {
		return err
	}
	if err := c.checkPage(h, body); err != nil {
		return err
	}
	c.held, c.heldAt = append(head[:len(head):len(head)], body...), at
	return nil
}

// checkPage unpacks one page and counts its levels and values.
func (c *chunk) checkPage(h pageHeader, body []byte) (err error) {
	most := [2]int{c.leaf.MaxRepetitionLevel(), c.leaf.MaxDefinitionLevel()}
	if h.isTwo {
		for i, size := range h.levels {
			if size < 0 || size > int64(len(body)) || size > h.unpacked {
				return errPage
			}
			if err := c.checkLevels(i, most[i], body[:size], h.values); most[i] > 0 && err != nil {
				return err
			}
			body, h.unpacked = body[size:], h.unpacked-size
		}
	}
	if h.compressed {
		if body, err = unpack(c.codec, body, h.unpacked); err != nil {
			return err
		}
	}
	if h.isDictionary {
		if h.encoding != plain && h.encoding != plainDictionary {
			return fmt.Errorf("a dictionary in encoding %d is not read", h.encoding)
		}
		return nil
	}
	if !h.isTwo {
		for i := range most {
			if most[i] == 0 {
				continue
			}
			if h.levelEncodings[i] != runLength {
				return fmt.Errorf("levels in encoding %d are not read", h.levelEncodings[i])
			}
			levels, rest, err := sized(body)
			if err != nil {
				return err
			}
			if err := c.checkLevels(i, most[i], levels, h.values); err != nil {
				return err
			}
			body = rest
		}
	}
	switch h.encoding {
	case plain, byteStreamSplit:
		return nil
	case plainDictionary, dictionary:
		if len(body) == 0 {
			return nil
		}
		return checkRuns(body[1:], int(body[0]), h.values)
	case runLength:
		runs, _, err := sized(body)
		if err != nil {
			return err
		}
		return checkRuns(runs, 1, h.values)
	case deltaBinaryPacked, deltaLengthBytes:
		return checkDelta(body, h.values)
	}
	return fmt.Errorf("values in encoding %d are not read", h.encoding)
}

var errPage = errors.New("damaged: a page's counts do not fit its header")

// sized parts data into what a 32-bit length stands before and what follows that.
func sized(data []byte) (inside, rest []byte, err error) {
	if len(data) < 4 {
		return nil, nil, errPage
	}
	size := binary.LittleEndian.Uint32(data)
	if uint64(size) > uint64(len(data)-4) {
		return nil, nil, errPage
	}
	return data[4 : 4+size], data[4+size:], nil
}

// checkLevels checks the repetition (0) or definition (1) levels of a page, which are at most most.
func (c *chunk) checkLevels(which, most int, data []byte, values int64) error {
	width := bits.Len(uint(most))
	if err := checkRuns(data, width, values); err != nil || which == 1 || most == 0 {
		return err
	}
	left := values
	count := func(level byte, times int64) {
		times = min(times, left)
		left -= times
		if level == 0 && times > 0 {
			c.elements, times = 1, 0 // a row begins
		}
		c.elements += times
		c.longest = max(c.longest, c.elements)
	}
	for len(data) > 0 && left > 0 {
		head, n := binary.Uvarint(data)
		data = data[n:]
		if head&1 == 0 {
			if len(data) == 0 {
				return errPage
			}
			count(data[0], int64(min(head>>1, 2*maxValues)))
			data = data[1:]
			continue
		}
		groups := min(int(head>>1)*width, len(data)) // bytes
		for bit := 0; bit+width <= 8*groups && left > 0; bit += width {
			pair := uint16(data[bit/8])
			if bit/8+1 < groups {
				pair |= uint16(data[bit/8+1]) << 8
			}
			count(byte(pair>>(bit%8))&(1<<width-1), 1)
		}
		data = data[groups:]
	}
	if c.longest > maxElements {
		return fmt.Errorf("a row with a list of %d elements, want at most %d", c.longest, maxElements)
	}
	return nil
}

// checkRuns counts the values of a mix of runs and bit-packed groups of 8: there may be no more than values, but for a last group.
func checkRuns(data []byte, width int, values int64) error {
	if width > 32 {
		return errPage
	}
	var count uint64
	for len(data) > 0 {
		head, n := binary.Uvarint(data)
		if n <= 0 {
			return errPage
		}
		data = data[n:]
		length, size := head>>1, uint64(width+7)/8
		if head&1 == 1 {
			if length > uint64(len(data)) && width > 0 || length > maxValues {
				return errPage
			}
			length, size = 8*length, length*uint64(width)
		}
		if count += min(length, 2*maxValues); count > uint64(values)+512 {
			return errPage
		}
		data = data[min(size, uint64(len(data))):]
	}
	return nil
}

// checkDelta checks the head of a delta encoding: block size, small blocks in it, number of values.
func checkDelta(data []byte, values int64) error {
	for _, most := range []uint64{1 << 16, 1 << 10, uint64(values)} {
		number, n := binary.Uvarint(data)
		if n <= 0 || number > most {
			return errPage
		}
		data = data[n:]
	}
	return nil
}

// unpack returns exactly size bytes.
func unpack(codec int64, data []byte, size int64) ([]byte, error) {
	var from io.Reader
	switch codec {
	case codecNone:
		from = bytes.NewReader(data)
	case codecSnappy:
		if length, err := snappy.DecodedLen(data); err != nil || int64(length) != size {
			return nil, errPage
		}
		return snappy.Decode(nil, data)
	case codecGzip:
		unpacked, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		from = unpacked
	case codecZstd:
		unpacked, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		defer unpacked.Close()
		from = unpacked
	default:
		return nil, fmt.Errorf("codec %d is not read; known are none, snappy, gzip and zstd", codec)
	}
	var whole bytes.Buffer
	whole.Grow(int(min(size, 16*int64(len(data))))) // no more for what a header says alone
	if n, err := io.Copy(&whole, io.LimitReader(from, size+1)); err != nil || n != size {
		return nil, fmt.Errorf("damaged: a page unpacks to %d bytes, want %d (%v)", n, size, err)
	}
	return whole.Bytes(), nil
}
