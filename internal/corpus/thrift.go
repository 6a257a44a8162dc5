package corpus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The parquet library trusts the counts and sizes in a file's footer and page headers and allocates what they say. They are therefore
// walked here first, without allocating: Thrift's compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const (
	maxFooter  = 64 << 20 // bytes
	maxStructs = 1 << 16  // in one list: columns, row groups, elements of the schema
	maxDepth   = 16

	maxColumns = 4096 // of a table; the library holds a buffer for each
	maxNested  = 64   // groups inside groups of its schema
)

var errThrift = errors.New("damaged: a header's counts do not fit its length")

// walker reads one Thrift struct. begin, if not nil, is called where a struct inside it begins, number for each integer and bool (0, 1), both
// with the ids of the fields that lead there (zeros after them).
type walker struct {
	data   []byte
	at     int
	begin  func(path [3]int16)
	number func(path [3]int16, value int64)
}

func (w *walker) byte() (byte, error) {
	if w.at >= len(w.data) {
		return 0, errThrift
	}
	w.at++
	return w.data[w.at-1], nil
}

func (w *walker) varint() (uint64, error) {
	value, n := binary.Uvarint(w.data[w.at:])
	if n <= 0 {
		return 0, errThrift
	}
	w.at += n
	return value, nil
}

func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.data)-w.at) {
		return errThrift
	}
	w.at += int(n)
	return nil
}

func (w *walker) structure(path [3]int16, depth int) error {
	if depth > maxDepth {
		return errThrift
	}
	id := int16(0)
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if delta := int16(head >> 4); delta > 0 {
			id += delta
		} else {
			long, err := w.varint()
			if err != nil {
				return err
			}
			id = int16(zigzag(long))
		}
		inner := path
		if depth < len(inner) {
			inner[depth] = id
		}
		switch kind := head & 15; kind {
		case 1, 2: // true and false, which have no bytes
			if w.number != nil {
				w.number(inner, int64(2-kind))
			}
		default:
			if err := w.value(kind, inner, depth); err != nil {
				return err
			}
		}
	}
}

func (w *walker) value(kind byte, path [3]int16, depth int) error {
	switch kind {
	case 1, 2, 3: // a bool in a list, a byte
		_, err := w.byte()
		return err
	case 4, 5, 6: // integers
		value, err := w.varint()
		if err == nil && w.number != nil {
			w.number(path, zigzag(value))
		}
		return err
	case 7: // double
		return w.skip(8)
	case 8: // bytes
		length, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(length)
	case 9, 10: // list, set
		return w.list(path, depth)
	case 11: // map
		count, err := w.varint()
		if err != nil || count == 0 {
			return err
		}
		kinds, err := w.byte()
		if err != nil || count > uint64(len(w.data)-w.at) {
			return errThrift
		}
		for range count {
			if err := w.value(kinds>>4, path, depth+1); err != nil {
				return err
			}
			if err := w.value(kinds&15, path, depth+1); err != nil {
				return err
			}
		}
		return nil
	case 12:
		if w.begin != nil {
			w.begin(path)
		}
		return w.structure(path, depth+1)
	}
	return errThrift
}

func (w *walker) list(path [3]int16, depth int) error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	count, kind := uint64(head>>4), head&15
	if count == 15 {
		if count, err = w.varint(); err != nil {
			return err
		}
	}
	if count > uint64(len(w.data)-w.at) || kind == 12 && count > maxStructs || depth > maxDepth {
		return errThrift
	}
	for range count {
		if err := w.value(kind, path, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func zigzag(value uint64) int64 { return int64(value>>1) ^ -int64(value&1) }

// checkFooter checks the counts of a file's metadata.
func checkFooter(footer []byte) error {
	var children []int64 // of each element of the schema; 0 for a column
	w := &walker{data: footer,
		begin: func(path [3]int16) {
			if path == [3]int16{2} {
				children = append(children, 0)
			}
		},
		number: func(path [3]int16, value int64) {
			if path == [3]int16{2, 5} && len(children) > 0 {
				children[len(children)-1] = value
			}
		}}
	if err := w.structure([3]int16{}, 0); err != nil {
		return err
	}
	return checkSchema(children)
}

// checkSchema walks a schema, which lists each group before what is in it. The library follows it by recursion and holds each column's path.
func checkSchema(children []int64) error {
	columns := 0
	var missing []int64 // of each open group
	for i, count := range children {
		if count < 0 || count > int64(len(children)-i-1) {
			return fmt.Errorf("damaged: a group of %d in a schema of %d elements", count, len(children))
		}
		if len(missing) > 0 {
			missing[len(missing)-1]--
		}
		if count > 0 {
			missing = append(missing, count)
		} else {
			columns++
		}
		if len(missing) > maxNested || columns > maxColumns {
			return fmt.Errorf("a schema of more than %d columns, or %d groups inside each other, is not read", maxColumns, maxNested)
		}
		for len(missing) > 0 && missing[len(missing)-1] == 0 {
			missing = missing[:len(missing)-1]
		}
	}
	return nil
}
