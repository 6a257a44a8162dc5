//go:build amd64 || arm64

package mapped

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A page of a mapping that lies beyond the end of its file, because the file was cut short, or that the disk cannot give, raises SIGBUS
// when it is touched, in Go and in C alike, and SIGBUS ends the process. Here it ends only what was being done: the handler onFault puts
// pages of zeros where the mapping is gone and notes it, the code that faulted goes on reading zeros, and File.Check tells.
//
// The handler stands before the Go runtime's own, to which it passes every fault that is none of a mapping's. It is assembly because a
// handler runs on any thread, also one that C made, and in the middle of anything: it may take no lock, need no stack and call nothing
// but the kernel. So it serves programs with and without cgo, and kernels in a shared library.

// guard is a mapping's entry in the table that onFault searches; its layout is known there.
type guard struct {
	start   uintptr
	end     uintptr // 0: not in use; a whole number of pages
	damaged uintptr
}

// maxGuarded bounds the files mapped at a time. A slot is used again only after all others, so that onFault never sees an entry change.
const maxGuarded = 1 << 14

var (
	guarded      [maxGuarded]guard
	guardedCount uintptr // entries from here on were never in use
	guardedNext  uintptr
	guardedLock  sync.Mutex

	pageMask = ^uintptr(os.Getpagesize() - 1)
	chained  uintptr // the handler that was there before
)

// faultHandler returns the address of onFault.
func faultHandler() uintptr

// kernelAction is the kernel's struct sigaction.
type kernelAction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// sigaction gives SIGBUS another handler, or tells the one it has; nil stands for neither.
func sigaction(give, have *kernelAction) error {
	_, _, failed := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGBUS), uintptr(unsafe.Pointer(give)),
		uintptr(unsafe.Pointer(have)), unsafe.Sizeof(give.mask), 0, 0)
	if failed != 0 {
		return os.NewSyscallError("rt_sigaction", failed)
	}
	return nil
}

var installGuard = sync.OnceValue(func() error {
	var action kernelAction
	if err := sigaction(nil, &action); err != nil {
		return err
	}
	if action.handler <= 1 { // the default, or ignored: not under the Go runtime
		return fmt.Errorf("no handler of SIGBUS to pass other faults to")
	}
	atomic.StoreUintptr(&chained, action.handler)
	action.handler = faultHandler() // flags and mask stay the runtime's: on the signal stack, with siginfo
	return sigaction(&action, nil)
})

// protect enters a mapping into the table.
func protect(data []byte) (*guard, error) {
	if err := installGuard(); err != nil {
		return nil, err
	}
	guardedLock.Lock()
	defer guardedLock.Unlock()
	for range maxGuarded {
		at := guardedNext
		guardedNext = (guardedNext + 1) % maxGuarded
		entry := &guarded[at]
		if atomic.LoadUintptr(&entry.end) != 0 {
			continue
		}
		start := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
		atomic.StoreUintptr(&entry.damaged, 0)
		atomic.StoreUintptr(&entry.start, start)
		atomic.StoreUintptr(&entry.end, (start+uintptr(len(data))+^pageMask)&pageMask)
		atomic.StoreUintptr(&guardedCount, max(guardedCount, at+1))
		return entry, nil
	}
	return nil, fmt.Errorf("more than %d files mapped at a time", maxGuarded)
}

// release takes the mapping out of the table, before it is unmapped.
func (g *guard) release() {
	if g != nil {
		atomic.StoreUintptr(&g.end, 0)
	}
}

// hit reports whether pages of the mapping were found gone.
func (g *guard) hit() bool { return g != nil && atomic.LoadUintptr(&g.damaged) != 0 }
