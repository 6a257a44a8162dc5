package corpus

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"avssnative/internal/mapped"
)

// maxWindow is what a zstd frame may make us hold, in bytes; it is the most that zstd's own tool takes without being asked.
const maxWindow = 128 << 20

// open returns the content, unpacked. A cancelled context ends its reads.
func (s Source) open(ctx context.Context) (io.ReadCloser, error) {
	from, closeFile := s.From, func() error { return nil }
	if from == nil {
		file, err := mapped.OpenRegular(s.Path)
		if err != nil {
			return nil, err
		}
		from, closeFile = file, file.Close
	}
	blocks := newBlocks(ctx, from)
	content := &content{Reader: blocks, close: func() error {
		blocks.stop()
		return closeFile()
	}}
	packed := strings.ToLower(filepath.Ext(s.Path))
	var err error
	switch packed {
	case ".gz":
		content.Reader, err = gzip.NewReader(blocks)
	case ".zst":
		var decoder *zstd.Decoder
		decoder, err = zstd.NewReader(blocks, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			content.Reader = decoder
			content.close = func() error {
				decoder.Close()
				blocks.stop()
				return closeFile()
			}
		}
	default:
		return content, nil
	}
	if err != nil {
		content.close()
		return nil, err
	}
	content.Reader = &measured{from: content.Reader, taken: &blocks.taken}
	return content, nil
}

// bytes is how many there are of what is no packed file and no stream; else 0.
func (s Source) bytes() int64 {
	if info, err := os.Stat(s.Path); err == nil && s.From == nil && strings.EqualFold(filepath.Ext(s.Path), ".txt") {
		return info.Size()
	}
	return 0
}

// content is an open source.
type content struct {
	io.Reader
	close func() error
}

func (c *content) Close() error { return c.close() }

// What unfolds is refused where it is both: large, and far more than the file takes. Text that people wrote unfolds to three to thirty times
// its size; gzip reaches 1,032, zstd and parquet's dictionaries know no bound.
const (
	foldedFree  = 16 << 20 // bytes that any file may unfold to
	foldedTimes = 256
)

// unfolded returns an error where the packed bytes of a file have become too many.
func unfolded(packed, unpacked int64) error {
	if unpacked <= foldedFree || unpacked/foldedTimes < packed {
		return nil
	}
	return fmt.Errorf("%d bytes unfold to %d or more; beyond %d bytes, at most %d times as many are read", packed, unpacked, foldedFree, foldedTimes)
}

// measured compares what comes out of a decompressor with what has gone in.
type measured struct {
	from  io.Reader
	taken *int64 // packed bytes so far
	given int64
}

func (m *measured) Read(data []byte) (int, error) {
	n, err := m.from.Read(data)
	m.given += int64(n)
	if bomb := unfolded(*m.taken, m.given); bomb != nil {
		return 0, bomb
	}
	return n, err
}

// blockSize is how much is read between two looks at the context, in bytes.
const blockSize = 256 << 10

// blocks reads in a goroutine of its own, one block ahead. A read that never returns (a silent pipe, a disk that is gone) is left behind when
// the context ends: it holds nothing but its block.
type blocks struct {
	ctx   context.Context
	full  chan block
	stops chan struct{}
	rest  []byte // of the last block
	end   error
	taken int64 // bytes given
}

type block struct {
	data []byte
	err  error
}

func newBlocks(ctx context.Context, from io.Reader) *blocks {
	b := &blocks{ctx: ctx, full: make(chan block), stops: make(chan struct{})}
	go func() {
		// While one buffer is being drained, the other is filled; it is sent when the first has been.
		buffers := [2][]byte{make([]byte, blockSize), make([]byte, blockSize)}
		for turn, empty := 0, 0; ; turn ^= 1 {
			n, err := from.Read(buffers[turn])
			if empty++; n > 0 {
				empty = 0
			}
			if err == nil && empty == 100 {
				err = io.ErrNoProgress
			}
			select {
			case b.full <- block{buffers[turn][:n], err}:
			case <-b.stops:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return b
}

// stop ends the goroutine, if not now then when its read returns.
func (b *blocks) stop() { close(b.stops) }

func (b *blocks) Read(data []byte) (int, error) {
	for len(b.rest) == 0 {
		if err := b.ctx.Err(); err != nil {
			return 0, err
		}
		if b.end != nil {
			return 0, b.end
		}
		select {
		case next := <-b.full:
			b.rest, b.end = next.data, next.err
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	n := copy(data, b.rest)
	b.rest = b.rest[n:]
	b.taken += int64(n)
	return n, nil
}

// readAt fills data from a file, or gives up when the context ends.
func readAt(ctx context.Context, file *os.File, size int64, offset int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	done := make(chan block, 1)
	go func() {
		data := make([]byte, size)
		n, err := file.ReadAt(data, offset)
		if int64(n) == size {
			err = nil
		}
		done <- block{data, err}
	}()
	select {
	case read := <-done:
		if read.err == io.EOF {
			read.err = io.ErrUnexpectedEOF // the file was longer when it was opened
		}
		return read.data, read.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
