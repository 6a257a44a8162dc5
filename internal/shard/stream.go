package shard

// Parts whose body is too long to be held: read from the front to the end, their checksum on the way.

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"avssnative/failure"
	"avssnative/internal/mapped"
)

// stream is an opened part.
type stream struct {
	head
	path string
	file *os.File
	sum  hash.Hash // of all that was read
	left int64     // of the body
}

// openStream opens a part and reads its head. The body is as long as it says it is.
func openStream(path string) (*stream, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("shard: %w", err)
	}
	s := &stream{path: path, file: f, sum: sha256.New()}
	if err := s.begin(); err != nil {
		f.Close()
		return nil, fmt.Errorf("shard: %s: %w", path, err)
	}
	if err := s.called(path); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (s *stream) begin() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	front := make([]byte, prelude)
	n, err := io.ReadFull(s.file, front)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	text, err := frontOf(front[:n], info.Size())
	if err != nil {
		return err
	}
	rest := make([]byte, text+8)
	if _, err := io.ReadFull(s.file, rest); err != nil {
		return err
	}
	s.left = int64(binary.LittleEndian.Uint64(rest[text:]))
	if err := bodyLength(uint64(info.Size())-uint64(prelude+text+8+sha256.Size), uint64(s.left)); err != nil {
		return err
	}
	s.sum.Write(front)
	s.sum.Write(rest)
	s.head, err = headOf(rest[:text])
	return err
}

// Read reads the body.
func (s *stream) Read(into []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.file.Read(into[:min(int64(len(into)), s.left)])
	s.sum.Write(into[:n])
	if s.left -= int64(n); errors.Is(err, io.EOF) && s.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// end closes a part of which all has been read, and holds it against its checksum.
func (s *stream) end() error {
	defer s.file.Close()
	if _, err := io.Copy(io.Discard, s); err != nil {
		return fmt.Errorf("shard: %s: %w", s.path, err)
	}
	var want [sha256.Size]byte
	if _, err := io.ReadFull(s.file, want[:]); err != nil {
		return fmt.Errorf("shard: %s: %w", s.path, err)
	}
	if have := s.sum.Sum(nil); string(have) != string(want[:]) {
		return failure.Corrupt.Errorf("shard: %s: damaged: its checksum is %x, want %x", s.path, have[:6], want[:6])
	}
	return nil
}

// writeStream puts a part into a folder whose body is written piece by piece and takes so many bytes.
func writeStream(folder string, h head, size int64, body func(io.Writer) error) error {
	front, err := sealFront(h, uint64(size))
	if err != nil {
		return err
	}
	err = mapped.Write(filepath.Join(folder, h.name()), func(w io.Writer) error {
		sum := sha256.New()
		counted := &counter{to: io.MultiWriter(w, sum)}
		if _, err := counted.Write(front); err != nil {
			return err
		}
		if err := body(counted); err != nil {
			return err
		}
		if counted.bytes != int64(len(front))+size {
			return fmt.Errorf("%d bytes were written, %d announced", counted.bytes-int64(len(front)), size)
		}
		_, err := w.Write(sum.Sum(nil))
		return err
	})
	if err != nil {
		return fmt.Errorf("shard: %w", err)
	}
	return nil
}

// counter counts what it passes on.
type counter struct {
	to    io.Writer
	bytes int64
}

func (c *counter) Write(data []byte) (int, error) {
	n, err := c.to.Write(data)
	c.bytes += int64(n)
	return n, err
}

// gone says that a file is no longer there: whoever has settled a step takes its sums away.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
