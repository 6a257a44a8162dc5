//go:build gorgonia

package cuda

import (
	"reflect"
	"unsafe"

	"gorgonia.org/cu"
)

const driverName = "gorgonia.org/cu"

// bindings is the driver by gorgonia.org/cu: its package-level functions, called on a thread that the caller has locked (its Ctx sends
// every call to a goroutine of its own, which costs 16 µs). What it does not offer, or reads through types it keeps to itself, the library
// beneath gives: device names, pinned memory, function attributes, the compiler's log.
//
// Its handles are structures around the driver's own, which is why they can be told from and turned into numbers.
type bindings struct{ *library }

func openDriver() (driver, error) {
	l, err := openLibrary()
	if err != nil {
		return nil, err
	}
	return bindings{l}, nil
}

// checked turns an error of cu's, a number of an unexported type, into a status.
func (b bindings) checked(call string, err error) error {
	if err == nil {
		return nil
	}
	if v := reflect.ValueOf(err); v.CanInt() {
		return b.check(call, int(v.Int()))
	}
	return err
}

// as reads a handle as another type of the same size.
func as[To, From any](from From) To { return *(*To)(unsafe.Pointer(&from)) }

func (b bindings) version() (int, error) { return cu.Version(), nil }

func (b bindings) count() (int, error) {
	n, err := cu.NumDevices()
	return n, b.checked("cuDeviceGetCount", err)
}

func (b bindings) retain(index int) (primary, error) {
	device, err := cu.GetDevice(index)
	if err != nil {
		return 0, b.checked("cuDeviceGet", err)
	}
	c, err := device.RetainPrimaryCtx()
	return as[primary](c), b.checked("cuDevicePrimaryCtxRetain", err)
}

func (b bindings) release(index int) error {
	device, err := cu.GetDevice(index)
	if err != nil {
		return b.checked("cuDeviceGet", err)
	}
	return b.checked("cuDevicePrimaryCtxRelease", device.ReleasePrimaryCtx())
}

func (b bindings) bind(c primary) error {
	return b.checked("cuCtxSetCurrent", cu.SetCurrentContext(as[cu.CUContext](c)))
}

func (b bindings) memory() (free, total int64, err error) {
	free, total, err = cu.MemInfo()
	return free, total, b.checked("cuMemGetInfo", err)
}

func (b bindings) alloc(bytes int64) (pointer, error) {
	p, err := cu.MemAlloc(bytes)
	return pointer(p), b.checked("cuMemAlloc", err)
}

func (b bindings) free(p pointer) error { return b.checked("cuMemFree", cu.MemFree(cu.DevicePtr(p))) }

func (b bindings) toDevice(dst pointer, src unsafe.Pointer, bytes int64, s stream) error {
	return b.checked("cuMemcpyHtoDAsync", cu.MemcpyHtoDAsync(cu.DevicePtr(dst), src, bytes, as[cu.Stream](s)))
}

func (b bindings) toHost(dst unsafe.Pointer, src pointer, bytes int64, s stream) error {
	return b.checked("cuMemcpyDtoHAsync", cu.MemcpyDtoHAsync(dst, cu.DevicePtr(src), bytes, as[cu.Stream](s)))
}

func (b bindings) zero(dst pointer, words int64, s stream) error {
	return b.checked("cuMemsetD32Async", cu.MemsetD32Async(cu.DevicePtr(dst), 0, words, as[cu.Stream](s)))
}

func (b bindings) unload(m module) error {
	return b.checked("cuModuleUnload", as[cu.Module](m).Unload())
}

func (b bindings) function(m module, name string) (function, error) {
	f, err := as[cu.Module](m).Function(name)
	return as[function](f), b.checked("cuModuleGetFunction", err)
}

// launch hands over one address a slot: cu copies eight bytes from each.
func (b bindings) launch(f function, grid, block [3]uint32, shared uint32, s stream, slots []uint64) error {
	pointers := make([]unsafe.Pointer, len(slots))
	for i := range slots {
		pointers[i] = unsafe.Pointer(&slots[i])
	}
	return b.checked("cuLaunchKernel", as[cu.Function](f).Launch(int(grid[0]), int(grid[1]), int(grid[2]),
		int(block[0]), int(block[1]), int(block[2]), int(shared), as[cu.Stream](s), pointers))
}

func (b bindings) newStream() (stream, error) {
	s, err := cu.MakeStream(cu.NonBlocking)
	return as[stream](s), b.checked("cuStreamCreate", err)
}

func (b bindings) freeStream(s stream) error {
	handle := as[cu.Stream](s)
	return b.checked("cuStreamDestroy", handle.Destroy())
}

func (b bindings) waitStream(s stream) error {
	return b.checked("cuStreamSynchronize", as[cu.Stream](s).Synchronize())
}

func (b bindings) newEvent(timed bool) (event, error) {
	flags := cu.DisableTiming
	if timed {
		flags = cu.DefaultEvent
	}
	e, err := cu.MakeEvent(flags)
	return as[event](e), b.checked("cuEventCreate", err)
}

func (b bindings) freeEvent(e event) error {
	handle := as[cu.Event](e)
	return b.checked("cuEventDestroy", cu.DestroyEvent(&handle))
}

func (b bindings) record(e event, s stream) error {
	return b.checked("cuEventRecord", as[cu.Event](e).Record(as[cu.Stream](s)))
}

func (b bindings) after(s stream, e event) error {
	return b.checked("cuStreamWaitEvent", as[cu.Stream](s).Wait(as[cu.Event](e), 0))
}

func (b bindings) waitEvent(e event) error {
	return b.checked("cuEventSynchronize", as[cu.Event](e).Synchronize())
}

func (b bindings) elapsed(from, to event) (float32, error) {
	ms, err := as[cu.Event](from).Elapsed(as[cu.Event](to))
	return float32(ms), b.checked("cuEventElapsedTime", err)
}
