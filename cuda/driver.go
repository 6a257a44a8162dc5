package cuda

import "unsafe"

// A driver makes the calls of the CUDA driver interface that the device needs. Handles are the driver library's own. All but the first
// four methods act on the context that is bound to the calling thread; a caller locks its goroutine to the thread and binds first.
// Where a call fails the error is a status.
type driver interface {
	version() (int, error) // as cuDriverGetVersion gives it: 12040 is CUDA 12.4
	count() (int, error)
	card(index int) (card, error)
	retain(index int) (primary, error) // the device's primary context
	release(index int) error

	bind(c primary) error
	memory() (free, total int64, err error)
	alloc(bytes int64) (pointer, error)
	free(p pointer) error
	allocPinned(bytes int64) (unsafe.Pointer, error)
	freePinned(p unsafe.Pointer) error
	toDevice(dst pointer, src unsafe.Pointer, bytes int64, s stream) error // src is pinned, and read at some time from then on
	toHost(dst unsafe.Pointer, src pointer, bytes int64, s stream) error
	zero(dst pointer, words int64, s stream) error // words of 4 bytes

	load(ptx string) (module, error) // the error holds the compiler's log
	unload(m module) error
	function(m module, name string) (function, error)
	allowShared(f function, bytes int) error
	launch(f function, grid, block [3]uint32, shared uint32, s stream, slots []uint64) error // slots hold one argument each

	newStream() (stream, error)
	freeStream(s stream) error
	waitStream(s stream) error // the calling thread waits
	newEvent(timed bool) (event, error)
	freeEvent(e event) error
	record(e event, s stream) error
	after(s stream, e event) error // s goes on when e has happened
	waitEvent(e event) error
	elapsed(from, to event) (milliseconds float32, err error)
}

type (
	primary  uintptr
	pointer  uint64 // device memory
	module   uintptr
	function uintptr
	stream   uintptr
	event    uintptr
)

// card is what a device says of itself.
type card struct {
	name           string
	major, minor   int // compute capability
	memory         int64
	processors     int // multiprocessors
	sharedPerBlock int // bytes a block may ask for
}

// Attributes of cuDeviceGetAttribute, cuFuncSetAttribute and their kind, from the driver interface's documentation.
const (
	attributeProcessors  = 16
	attributeMajor       = 75
	attributeMinor       = 76
	attributeSharedOptin = 97
	functionMaxShared    = 8
	eventUntimed         = 2
	streamNonBlocking    = 1
	jitErrorLog          = 5
	jitErrorLogBytes     = 6
	statusOutOfMemory    = 2
	statusNoDevice       = 100
	statusKernelFirst    = 700 // from here on a kernel has failed while it ran: an illegal address, instruction, …
	statusKernelLast     = 719
)
