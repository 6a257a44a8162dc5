package corpus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"

	"avssnative/internal/mapped"
)

// table is an open .parquet. It is what the parquet library reads the file through: the library sees only the footer that was checked when
// the table was opened, and pages of the columns that were begun, each of them checked just before. A page is read from the file once, so
// that a file which changes meanwhile cannot show the library what was not checked.
type table struct {
	*parquet.File
	ctx      context.Context
	file     *os.File
	size     int64
	footer   []byte // with its length and the mark behind it
	chunks   []*chunk
	unpacked int64 // bytes so far: pages without compression, and the elements of lists
	given    int64 // bytes of text so far
}

// mark stands at both ends of a file.
const mark = "PAR1"

func (s Source) openTable(ctx context.Context) (_ *table, err error) {
	if s.From != nil || !strings.HasSuffix(strings.ToLower(s.Path), ".parquet") {
		return nil, errors.New("a .parquet is compressed inside and read from its end; unpack it into a file first")
	}
	file, err := mapped.OpenRegular(s.Path)
	if err != nil {
		return nil, err
	}
	t := &table{ctx: ctx, file: file}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	if err := t.readFooter(); err != nil {
		return nil, err
	}
	err = guarded(func() error {
		t.File, err = parquet.OpenFile(t, t.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// readFooter reads and checks the file's ends.
func (t *table) readFooter() error {
	stat, err := t.file.Stat()
	if err != nil {
		return err
	}
	if t.size = stat.Size(); t.size < 12 {
		return fmt.Errorf("not a parquet file, or truncated: %d bytes", t.size)
	}
	first, err := readAt(t.ctx, t.file, 4, 0)
	if err != nil {
		return err
	}
	last, err := readAt(t.ctx, t.file, 8, t.size-8)
	if err != nil {
		return err
	}
	if string(first) != mark || string(last[4:]) != mark {
		return fmt.Errorf("not a parquet file, or truncated: want %s at both ends", mark)
	}
	length := int64(binary.LittleEndian.Uint32(last))
	if length > t.size-12 || length > maxFooter {
		return fmt.Errorf("metadata of %d bytes in a file of %d, want at most %d", length, t.size, maxFooter)
	}
	if t.footer, err = readAt(t.ctx, t.file, length+8, t.size-8-length); err != nil {
		return err
	}
	// The length and the mark are looked at anew, for the file may have changed between the reads.
	if string(t.footer[length:]) != string(last) {
		return errors.New("changed while it was opened")
	}
	return checkFooter(t.footer[:length])
}

func (t *table) close() { t.file.Close() }

// begin lets the library read some columns of a row group, and no others.
func (t *table) begin(group int, leaves []*parquet.Column) error {
	t.chunks = t.chunks[:0]
	columns := t.Metadata().RowGroups[group].Columns
	promised := t.unpacked
	for _, leaf := range leaves {
		c := &chunk{table: t, group: group, leaf: leaf}
		if leaf.Index() < 0 || leaf.Index() >= len(columns) {
			return c.fail(fmt.Errorf("damaged: the group has %d columns", len(columns)))
		}
		meta := &columns[leaf.Index()].MetaData
		c.codec, c.start = int64(meta.Codec), meta.DataPageOffset
		if first := meta.DictionaryPageOffset; first != 0 {
			if first < 0 || first > c.start {
				return c.fail(fmt.Errorf("damaged: a dictionary at byte %d, behind the data at %d", first, c.start))
			}
			c.start = first
		}
		length := meta.TotalCompressedSize
		// Nor may it begin in the mark or reach into the footer, which are served without a look at pages.
		if last := t.size - int64(len(t.footer)); c.start < int64(len(mark)) || length < 0 || c.start > last || length > last-c.start {
			return c.fail(fmt.Errorf("damaged: bytes %d+%d of a file of %d with metadata from %d", c.start, length, t.size, last))
		}
		c.end = c.start + length
		c.rewind()
		// What the file says of itself is only used to refuse it early.
		if size := meta.TotalUncompressedSize; size > 0 {
			promised += min(size, 1<<50)
		}
		t.chunks = append(t.chunks, c)
	}
	return unfolded(t.size, promised)
}

// complete returns an error where a row group did not have the rows that the metadata counts.
func (t *table) complete(group, rows int) error {
	if want := t.Metadata().RowGroups[group].NumRows; int64(rows) != want {
		return fmt.Errorf("row group %d: damaged: %d rows, the metadata counts %d", group, rows, want)
	}
	return nil
}

// ReadAt serves the parquet library.
func (t *table) ReadAt(data []byte, offset int64) (int, error) {
	if at := offset - (t.size - int64(len(t.footer))); at >= 0 && at <= int64(len(t.footer)) {
		return whole(copy(data, t.footer[at:]), len(data))
	}
	if offset == 0 && len(data) <= len(mark) {
		return whole(copy(data, mark), len(data))
	}
	for _, c := range t.chunks {
		if offset >= c.start && offset < c.end {
			return c.readAt(data, offset)
		}
	}
	return 0, fmt.Errorf("damaged: bytes %d+%d belong to no column that is read", offset, len(data))
}

func whole(n, want int) (int, error) {
	if n < want {
		return n, io.EOF
	}
	return n, nil
}

// guarded turns a panic into an error: the parquet library panics on some damaged files. Nothing of the caller's runs inside.
func guarded(do func() error) (err error) {
	defer func() {
		if damage := recover(); damage != nil {
			err = fmt.Errorf("damaged: %.200s", strings.ReplaceAll(fmt.Sprint(damage), "\n", " "))
		}
	}()
	return do()
}
