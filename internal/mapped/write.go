package mapped

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// chunk is how much is written between two looks at the context, in bytes.
const chunk = 4 << 20

// Write makes a file that appears whole or not at all, replacing the file that had the name: old or new stands there at any moment. It is for
// files of the program's own, in a folder that it is making or keeps; where a user chose the name, see Place. On an error nothing is left.
func Write(path string, write func(io.Writer) error) error {
	ours := Place{Path: path, Force: true, Former: func(string) error { return nil }, shared: true}
	return ours.Write(func(path string) (err error) {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return err
		}
		defer func() {
			if failed := file.Close(); err == nil {
				err = failed
			}
		}()
		return write(file)
	})
}

// Temporary returns a name beside path that nobody else uses, ending in .incomplete.
func Temporary(path string) string { return fmt.Sprintf("%s.%016x.incomplete", path, rand.Uint64()) }

// Stream lets give write to w, and makes sure that it is exactly size bytes. It ends with the context's error soon after that is done.
func Stream(ctx context.Context, w io.Writer, size int64, give func(io.Writer) error) error {
	counted := &exactly{ctx: ctx, w: w, left: size}
	err := give(counted)
	if err == nil && counted.left > 0 {
		err = fmt.Errorf("%d of %d bytes given", size-counted.left, size)
	}
	return err
}

// CopyTo writes the length bytes from offset to w and releases their pages as it goes. It ends with Check: what was copied is what the file
// held when it was opened, or there is an error.
func (f *File) CopyTo(w io.Writer, offset, length int64) error {
	for length > 0 {
		n := min(chunk, length)
		if err := f.Advise(offset, n, WillNeed); err != nil {
			return err
		}
		if _, err := w.Write(f.data[offset : offset+n]); err != nil {
			return errors.Join(f.Check(), err) // the kernel cannot read a page that is gone either, and says "bad address"
		}
		if err := f.Advise(offset, n, DontNeed); err != nil {
			return err
		}
		offset, length = offset+n, length-n
	}
	return f.Check()
}

// exactly passes on at most left bytes, in chunks, while the context lives.
type exactly struct {
	ctx  context.Context
	w    io.Writer
	left int64
}

func (e *exactly) Write(data []byte) (written int, err error) {
	if int64(len(data)) > e.left {
		return 0, errors.New("more bytes given than its size says")
	}
	for len(data) > 0 {
		if err := e.ctx.Err(); err != nil {
			return written, err
		}
		n, err := e.w.Write(data[:min(chunk, len(data))])
		written += n
		e.left -= int64(n)
		if err != nil {
			return written, err
		}
		data = data[n:]
	}
	return written, nil
}

// WriteBytes is Write of one slice.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
