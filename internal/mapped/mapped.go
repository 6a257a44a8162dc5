// Package mapped gives a file's bytes as one read-only slice without reading them: the kernel brings pages in when they are touched
// and may drop them again. A model larger than memory is read this way; Advise tells the kernel which layer comes next and which is done.
//
// A file that is cut short or changed meanwhile is found by Check; on Linux, reading what it lost gives zeros instead of ending the process
// (see guard_linux.go). The package also holds how outputs are placed: see Place.
//
// Where the system has neither the mmap of golang.org/x/sys/unix nor Windows' views, the file is read into memory instead (see read.go).
package mapped

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
)

// Advice is what will happen to a range of the file.
type Advice int

const (
	// WillNeed asks for the range to be read ahead in the background.
	WillNeed Advice = iota
	// Populate reads the range and maps its pages, as touching each would, but together; it returns when that is done. Where the system
	// cannot, it is WillNeed.
	Populate
	// DontNeed releases the range's pages; touching them again reads the file again.
	DontNeed
)

// File is a file mapped read-only. Its bytes must not be touched after Close, nor written to.
type File struct {
	path  string
	data  []byte
	stat  os.FileInfo
	guard *guard
	close sync.Once
}

// Open maps the regular file at path. Anything else (folder, pipe, device) is refused. An empty file has no bytes and is no error.
func Open(path string) (*File, error) {
	// Asked before opening: opening a pipe would wait for its writer.
	before, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("mapped: %w", err)
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("mapped: %s: %s, want a regular file", path, kind(before.Mode()))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("mapped: %w", err)
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("mapped: %w", err)
	}
	if !os.SameFile(before, stat) {
		return nil, fmt.Errorf("mapped: %s: replaced by another file while it was opened", path)
	}
	if stat.Size() > math.MaxInt {
		return nil, fmt.Errorf("mapped: %s: %d bytes, more than an address can reach here", path, stat.Size())
	}
	mapping := &File{path: path, stat: stat}
	if stat.Size() > 0 {
		if mapping.data, err = load(file, int(stat.Size())); err != nil {
			return nil, fmt.Errorf("mapped: %s: %w", path, err)
		}
		if mapping.guard, err = protect(mapping.data); err != nil {
			return nil, errors.Join(fmt.Errorf("mapped: %s: %w", path, err), unload(mapping.data))
		}
	}
	return mapping, nil
}

// Path returns the name the file was opened by.
func (f *File) Path() string { return f.path }

// Bytes returns the whole file as a read-only view, valid until Close.
func (f *File) Bytes() []byte { return f.data }

// Advise tells the kernel about the length bytes from offset. WillNeed and Populate take every page the range touches, DontNeed only pages that lie
// wholly inside it (or reach the end of the file), so that a neighbour keeps its pages. A range outside the file is an error.
func (f *File) Advise(offset, length int64, advice Advice) error {
	size := int64(len(f.data))
	if offset < 0 || length < 0 || offset > size || length > size-offset {
		return fmt.Errorf("mapped: %s: advice for bytes %d+%d of %d", f.path, offset, length, size)
	}
	page := int64(os.Getpagesize())
	start, end := offset, offset+length
	switch advice {
	case WillNeed, Populate:
		start -= start % page
	case DontNeed:
		start += (page - start%page) % page
		if end != size {
			end -= end % page
		}
	default:
		return fmt.Errorf("mapped: advice %d is unknown", advice)
	}
	if start >= end {
		return nil
	}
	if err := advise(f.data[start:end], advice); err != nil {
		return fmt.Errorf("mapped: %s: advice for bytes %d+%d: %w", f.path, offset, length, err)
	}
	return nil
}

// Check returns an error that names the file if what was read of it since Open may not be what it held then: it was cut short, or its size,
// its times of change, or the file that has its name are others now. Whoever has read a mapping for long asks before trusting what came of
// it: pages that the file lost meanwhile read as zeros (on Linux; see guard_other.go for elsewhere).
func (f *File) Check() error {
	now, err := os.Stat(f.path)
	switch {
	case err != nil:
		return fmt.Errorf("mapped: gone while it was read: %w", err)
	case now.Size() < f.stat.Size():
		return fmt.Errorf("mapped: %s: cut short while it was read: %d bytes, but it had %d when it was opened", f.path, now.Size(), f.stat.Size())
	case f.guard.hit():
		return fmt.Errorf("mapped: %s: parts of it could not be read: it was cut short for a while, or its disk failed", f.path)
	case now.Size() != f.stat.Size():
		return fmt.Errorf("mapped: %s: changed while it was read: %d bytes, but it had %d when it was opened", f.path, now.Size(), f.stat.Size())
	case !os.SameFile(now, f.stat):
		return fmt.Errorf("mapped: %s: changed while it was read: another file has its name now", f.path)
	case !now.ModTime().Equal(f.stat.ModTime()) || rewritten(now, f.stat):
		return fmt.Errorf("mapped: %s: changed while it was read", f.path)
	}
	return nil
}

// Close releases the mapping; every view of its bytes is invalid from then on. Further calls do nothing.
func (f *File) Close() error {
	var err error
	f.close.Do(func() {
		if f.data != nil {
			f.guard.release()
			err = unload(f.data)
			f.data = nil
		}
	})
	if err != nil {
		return fmt.Errorf("mapped: %s: %w", f.path, err)
	}
	return nil
}

func kind(mode os.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a folder"
	case mode&os.ModeNamedPipe != 0:
		return "a pipe"
	case mode&os.ModeDevice != 0:
		return "a device"
	case mode&os.ModeSocket != 0:
		return "a socket"
	}
	return "an irregular file"
}
