//go:build linux && (amd64 || arm64)

package mapped_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"avssnative/internal/mapped"
	"avssnative/kernels/cpu"
)

const pages = 64

// ones maps a file of the float32 value 1.
func ones(t *testing.T) (*mapped.File, []float32) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(path, bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, pages*os.Getpagesize()/4), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := mapped.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	data := file.Bytes()
	return file, unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(data))), len(data)/4)
}

func wantCut(t *testing.T, file *mapped.File) {
	t.Helper()
	if err := file.Check(); err == nil || !strings.Contains(err.Error(), "cut short") || !strings.Contains(err.Error(), file.Path()) {
		t.Errorf("error %v, want that %s was cut short", err, file.Path())
	}
}

func sum(values []float32) (total float32) {
	for _, value := range values {
		total += value
	}
	return total
}

func TestCutWhileGoReads(t *testing.T) {
	file, values := ones(t)
	other, untouched := ones(t)
	page := os.Getpagesize()
	if err := os.Truncate(file.Path(), int64(3*page)); err != nil {
		t.Fatal(err)
	}
	// Backwards, so that every page faults by itself; from many goroutines at once.
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for p := pages - 1; p >= 0; p-- {
				want := float32(0)
				if p < 3 {
					want = 1
				}
				if got := values[p*page/4]; got != want {
					t.Errorf("page %d: %g, want %g", p, got, want)
				}
			}
		})
	}
	all.Wait()
	if err := os.Truncate(file.Path(), int64(pages*page)); err != nil { // grown again: what was read is wrong all the same
		t.Fatal(err)
	}
	wantCut(t, file)
	if err := other.Check(); err != nil || sum(untouched) != float32(len(untouched)) {
		t.Errorf("another file: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// A C kernel adds a mapping to itself again and again while the file is cut.
func TestCutWhileCReads(t *testing.T) {
	kernels, err := cpu.Open()
	if err != nil {
		t.Fatal(err)
	}
	file, values := ones(t)
	dst := kernels.Allocate(int64(len(values)))
	defer kernels.Release(dst)
	add := func() {
		cols := 1024
		rows := len(values) / cols
		a := cpu.AddArguments{Dst: cpu.TensorOf(dst, rows, cols, cols), A: cpu.TensorOf(values, rows, cols, cols),
			B: cpu.TensorOf(values, rows, cols, cols), Factor: 1}
		kernels.Run(cpu.Add, &a, 0, int64(rows), nil)
	}
	if add(); sum(dst) != float32(2*len(values)) {
		t.Fatalf("the sum of the whole file is %g", sum(dst))
	}
	cut := make(chan error)
	go func() {
		time.Sleep(5 * time.Millisecond)
		cut <- os.Truncate(file.Path(), 4096)
	}()
	for waiting := true; waiting; {
		add()
		select {
		case err := <-cut:
			if err != nil {
				t.Fatal(err)
			}
			waiting = false
		default:
		}
	}
	add()
	if got := sum(dst); got > 2*65536/4 {
		t.Errorf("the sum of what is left is %g", got)
	}
	wantCut(t, file)
}

func TestCutWhileCopying(t *testing.T) {
	file, _ := ones(t)
	if err := os.Truncate(file.Path(), 100); err != nil {
		t.Fatal(err)
	}
	length := int64(len(file.Bytes()))
	to, err := os.Create(filepath.Join(t.TempDir(), "copy"))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	// A file takes the pages through the kernel, which says "bad address"; a buffer through the handler.
	for _, w := range []io.Writer{to, &bytes.Buffer{}} {
		err := mapped.Stream(context.Background(), w, length, func(w io.Writer) error { return file.CopyTo(w, 0, length) })
		if err == nil || !strings.Contains(err.Error(), "cut short") || !strings.Contains(err.Error(), file.Path()) {
			t.Errorf("error %v", err)
		}
	}
}

// Faults that are no mapping's go to the Go runtime, as before.
func TestOtherFaultsReachTheRuntime(t *testing.T) {
	mapping, _ := ones(t)
	path := filepath.Join(t.TempDir(), "unguarded")
	if err := os.WriteFile(path, make([]byte, 4*os.Getpagesize()), 0o644); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	data, err := syscall.Mmap(int(file.Fd()), 0, 4*os.Getpagesize(), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(data)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		fault := recover()
		if _, ok := fault.(runtime.Error); !ok {
			t.Errorf("the runtime says %v", fault)
		}
		if err := mapping.Check(); err != nil {
			t.Errorf("the mapping beside it: %v", err)
		}
	}()
	t.Errorf("byte %d was read", data[0])
}

// Slots of the table are used again after all others.
func TestManyMappings(t *testing.T) {
	first, values := ones(t)
	path := filepath.Join(t.TempDir(), "small")
	if err := os.WriteFile(path, []byte{1}, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 1<<14 + 10 {
		file, err := mapped.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(first.Path(), 0); err != nil {
		t.Fatal(err)
	}
	if got := sum(values); got != 0 {
		t.Errorf("sum %g of a file that is empty now", got)
	}
	wantCut(t, first)
}

func TestCheckTells(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(path string) error
		want   string // "": no change
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"read only", func(path string) error { return os.Chmod(path, 0o444) }, ""},
		{"another link", func(path string) error { return os.Link(path, path+".link") }, ""},
		{"longer", func(path string) error { return os.Truncate(path, 1<<20) }, "changed while it was read: 1048576 bytes"},
		{"empty", func(path string) error { return os.Truncate(path, 0) }, "cut short while it was read: 0 bytes"},
		{"gone", os.Remove, "gone"},
		{"another", func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path+".other", make([]byte, info.Size()), 0o644); err != nil {
				return err
			}
			return os.Rename(path+".other", path)
		}, "changed while it was read: another file"},
		{"in place", func(path string) error { return overwrite(path, false) }, "changed while it was read"},
		{"in place, time set back", func(path string) error { return overwrite(path, true) }, "changed while it was read"},
	} {
		file, _ := ones(t)
		time.Sleep(20 * time.Millisecond) // file systems keep time by the kernel's tick
		if err := c.change(file.Path()); err != nil {
			t.Fatal(err)
		}
		err := file.Check()
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file.Path())) {
			t.Errorf("%s: error %v, want %s", c.name, err, c.want)
		}
	}
}

func overwrite(path string, back bool) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("abcdefgh"), 5000); err != nil {
		return err
	}
	if back {
		return os.Chtimes(path, info.ModTime(), info.ModTime())
	}
	return nil
}
