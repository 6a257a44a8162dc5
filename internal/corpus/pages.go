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
	maxPage   = 1 << 30 // bytes, unpacked
	maxValues = 1 << 22
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

// checkPages walks the pages of one column of a row group.
func (t *table) checkPages(group int, leaf *parquet.Column) error {
	file, columns := t.mapping.Bytes(), t.Metadata().RowGroups[group].Columns
	fail := func(err error) error {
		return fmt.Errorf("row group %d, column %.80q: %w", group, leaf.Name(), err)
	}
	if leaf.Index() < 0 || leaf.Index() >= len(columns) {
		return fail(fmt.Errorf("damaged: the group has %d columns", len(columns)))
	}
	meta := columns[leaf.Index()].MetaData
	start, length := meta.DataPageOffset, meta.TotalCompressedSize
	if first := meta.DictionaryPageOffset; first > 0 && first < start {
		start = first
	}
	if start < 0 || length < 0 || start > int64(len(file)) || length > int64(len(file))-start {
		return fail(fmt.Errorf("damaged: bytes %d+%d of %d", start, length, len(file)))
	}
	for chunk := file[start : start+length]; len(chunk) > 0; {
		h, n, err := readPageHeader(chunk)
		if err != nil {
			return fail(err)
		}
		if h.packed < 0 || h.packed > int64(len(chunk)-n) || h.unpacked < 0 || h.unpacked > maxPage || h.values < 0 || h.values > maxValues {
			return fail(fmt.Errorf("damaged: a page of %d values, %d bytes, %d unpacked", h.values, h.packed, h.unpacked))
		}
		if err := checkPage(h, chunk[n:n+int(h.packed)], int64(meta.Codec), leaf); err != nil {
			return fail(err)
		}
		chunk = chunk[n+int(h.packed):]
	}
	return nil
}

// checkPage unpacks one page and counts its levels and values.
func checkPage(h pageHeader, body []byte, codec int64, leaf *parquet.Column) (err error) {
	most := [2]int{leaf.MaxRepetitionLevel(), leaf.MaxDefinitionLevel()}
	if h.isTwo {
		for i, size := range h.levels {
			if size < 0 || size > int64(len(body)) || size > h.unpacked {
				return errPage
			}
			if err := checkRuns(body[:size], bits.Len(uint(most[i])), h.values); most[i] > 0 && err != nil {
				return err
			}
			body, h.unpacked = body[size:], h.unpacked-size
		}
	}
	if h.compressed {
		if body, err = unpack(codec, body, h.unpacked); err != nil {
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
			if body, err = checkSized(body, bits.Len(uint(most[i])), h.values); err != nil {
				return err
			}
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
		_, err := checkSized(body, 1, h.values)
		return err
	case deltaBinaryPacked, deltaLengthBytes:
		return checkDelta(body, h.values)
	}
	return fmt.Errorf("values in encoding %d are not read", h.encoding)
}

var errPage = errors.New("damaged: a page's counts do not fit its header")

// checkSized checks runs that a 32-bit length stands before and returns what follows them.
func checkSized(data []byte, width int, values int64) ([]byte, error) {
	if len(data) < 4 {
		return nil, errPage
	}
	size := binary.LittleEndian.Uint32(data)
	if uint64(size) > uint64(len(data)-4) {
		return nil, errPage
	}
	return data[4+size:], checkRuns(data[4:4+size], width, values)
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
	if n, err := io.Copy(&whole, io.LimitReader(from, size+1)); err != nil || n != size {
		return nil, fmt.Errorf("damaged: a page unpacks to %d bytes, want %d (%v)", n, size, err)
	}
	return whole.Bytes(), nil
}
