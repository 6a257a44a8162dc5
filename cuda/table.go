package cuda

import (
	"bytes"
	"hash/maphash"
)

// Short lists that many operations read and every pass uses again, positions, frequencies, thresholds, which column goes where, stay on the device:
// a copy between two kernels is time in which neither computes.

// tables are the lists that are there, those used last at the end.
type tables struct {
	seed maphash.Seed
	list []*table
}

// table is one of them, found by what it holds.
type table struct {
	sum     uint64
	content []byte
	block   *block
}

const (
	keptTables  = 64
	longestKept = 256 << 10 // bytes; a longer list comes every time
)

// fixed passes to f where values lie on the device, as with does, and keeps them there.
func fixed[T any](d *gpu, values []T, f func(at address[T]) error) error {
	content := bytesOf(values)
	if len(content) == 0 || len(content) > longestKept {
		return with(d, values, f)
	}
	b, err := d.tableOf(content)
	if err != nil {
		return err
	}
	return f(address[T](b.at))
}

// tableOf is where a list lies. The one that has not been used for longest goes where there are many.
func (d *gpu) tableOf(content []byte) (*block, error) {
	t := &d.tables
	if t.list == nil {
		t.seed = maphash.MakeSeed()
	}
	sum := maphash.Bytes(t.seed, content)
	for i, known := range t.list {
		if known.sum == sum && bytes.Equal(known.content, content) {
			t.list = append(append(t.list[:i], t.list[i+1:]...), known)
			return known.block, nil
		}
	}
	b, err := upload(d, content)
	if err != nil {
		return nil, err
	}
	if len(t.list) == keptTables {
		d.release(&err, t.list[0].block)
		t.list = append(t.list[:0], t.list[1:]...)
	}
	t.list = append(t.list, &table{sum, bytes.Clone(content), b})
	return b, err
}
