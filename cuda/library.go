package cuda

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"avssnative/failure"
)

// library is the driver library opened by purego: no C compiler, no header, no file of NVIDIA's at build time. Every call passes integers
// and pointers only, so that purego.SyscallN serves for all of them.
type library struct{ at map[string]uintptr }

// What the device cannot do without.
var required = []string{
	"cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceTotalMem_v2", "cuDeviceGetAttribute",
	"cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease_v2", "cuCtxSetCurrent", "cuMemGetInfo_v2", "cuMemAlloc_v2", "cuMemFree_v2",
	"cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemsetD32Async", "cuModuleLoadDataEx", "cuModuleUnload", "cuModuleGetFunction",
	"cuFuncSetAttribute", "cuLaunchKernel", "cuStreamCreate", "cuStreamDestroy_v2", "cuStreamSynchronize", "cuStreamWaitEvent",
	"cuEventCreate", "cuEventDestroy_v2", "cuEventRecord", "cuEventSynchronize", "cuEventElapsedTime", "cuGetErrorName", "cuGetErrorString",
	"cuMemHostAlloc", "cuMemFreeHost",
}

var optional = []string{"cuTensorMapEncodeTiled"}

// openLibrary opens the driver library once a process; cuInit has succeeded where the error is nil.
var openLibrary = sync.OnceValues(func() (*library, error) {
	name := os.Getenv("AVSSNATIVE_LIBCUDA")
	if name == "" {
		name = libraryName
	}
	handle, err := loadLibrary(name)
	if err != nil {
		return nil, failure.NotFound.Errorf("cuda: no driver: %s cannot be opened (%s); install NVIDIA's driver or compute on device cpu",
			name, strings.TrimSpace(err.Error()))
	}
	l := &library{at: map[string]uintptr{}}
	for _, symbol := range required {
		address, err := lookUp(handle, symbol)
		if err != nil {
			return nil, tooOld("%s has no %s", name, symbol)
		}
		l.at[symbol] = address
	}
	for _, symbol := range optional {
		if address, err := lookUp(handle, symbol); err == nil {
			l.at[symbol] = address
		}
	}
	if err := l.check("cuInit", call(l.at["cuInit"], 0)); err != nil {
		if s, ok := err.(status); ok && s.code == statusNoDevice {
			return nil, fmt.Errorf("cuda: no device: the driver finds no GPU")
		}
		return nil, err
	}
	return l, nil
})

// call calls a C function whose arguments are integers or pointers and whose result is a CUresult.
//
//go:uintptrescapes
func call(function uintptr, args ...uintptr) int {
	r, _, _ := purego.SyscallN(function, args...)
	return int(int32(r))
}

// status is a failed call of the driver.
type status struct {
	call string
	code int
	name string
	text string
}

func (s status) Error() string { return fmt.Sprintf("cuda: %s: %s (%s)", s.call, s.text, s.name) }

func (l *library) check(name string, code int) error {
	if code == 0 {
		return nil
	}
	s := status{call: name, code: code, name: fmt.Sprintf("error %d", code), text: "failed"}
	var text *byte
	if call(l.at["cuGetErrorName"], uintptr(code), uintptr(unsafe.Pointer(&text))) == 0 && text != nil {
		s.name = cString(text)
	}
	text = nil
	if call(l.at["cuGetErrorString"], uintptr(code), uintptr(unsafe.Pointer(&text))) == 0 && text != nil {
		s.text = cString(text)
	}
	return s
}

func cString(p *byte) string {
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return strings.Clone(unsafe.String(p, n))
}

func (l *library) version() (int, error) {
	var v int32
	err := l.check("cuDriverGetVersion", call(l.at["cuDriverGetVersion"], uintptr(unsafe.Pointer(&v))))
	return int(v), err
}

func (l *library) count() (int, error) {
	var n int32
	err := l.check("cuDeviceGetCount", call(l.at["cuDeviceGetCount"], uintptr(unsafe.Pointer(&n))))
	return int(n), err
}

func (l *library) handle(index int) (int32, error) {
	var device int32
	err := l.check("cuDeviceGet", call(l.at["cuDeviceGet"], uintptr(unsafe.Pointer(&device)), uintptr(index)))
	return device, err
}

func (l *library) card(index int) (card, error) {
	device, err := l.handle(index)
	if err != nil {
		return card{}, err
	}
	var c card
	name := make([]byte, 256)
	err = l.check("cuDeviceGetName", call(l.at["cuDeviceGetName"], uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)), uintptr(device)))
	if err != nil {
		return card{}, err
	}
	name[len(name)-1] = 0
	c.name = cString(&name[0])
	var bytes uint64
	if err := l.check("cuDeviceTotalMem", call(l.at["cuDeviceTotalMem_v2"], uintptr(unsafe.Pointer(&bytes)), uintptr(device))); err != nil {
		return card{}, err
	}
	c.memory = int64(bytes)
	for attribute, field := range map[int]*int{
		attributeProcessors: &c.processors, attributeMajor: &c.major, attributeMinor: &c.minor, attributeSharedOptin: &c.sharedPerBlock,
	} {
		var err error
		if *field, err = l.attribute(index, attribute); err != nil {
			return card{}, err
		}
	}
	return c, nil
}

func (l *library) attribute(index, attribute int) (int, error) {
	device, err := l.handle(index)
	if err != nil {
		return 0, err
	}
	var v int32
	err = l.check("cuDeviceGetAttribute", call(l.at["cuDeviceGetAttribute"], uintptr(unsafe.Pointer(&v)), uintptr(attribute), uintptr(device)))
	return int(v), err
}

func (l *library) retain(index int) (primary, error) {
	device, err := l.handle(index)
	if err != nil {
		return 0, err
	}
	var c primary
	err = l.check("cuDevicePrimaryCtxRetain", call(l.at["cuDevicePrimaryCtxRetain"], uintptr(unsafe.Pointer(&c)), uintptr(device)))
	return c, err
}

func (l *library) release(index int) error {
	device, err := l.handle(index)
	if err != nil {
		return err
	}
	return l.check("cuDevicePrimaryCtxRelease", call(l.at["cuDevicePrimaryCtxRelease_v2"], uintptr(device)))
}

func (l *library) bind(c primary) error {
	return l.check("cuCtxSetCurrent", call(l.at["cuCtxSetCurrent"], uintptr(c)))
}

func (l *library) memory() (free, total int64, err error) {
	err = l.check("cuMemGetInfo", call(l.at["cuMemGetInfo_v2"], uintptr(unsafe.Pointer(&free)), uintptr(unsafe.Pointer(&total))))
	return free, total, err
}

func (l *library) alloc(bytes int64) (pointer, error) {
	var p pointer
	err := l.check("cuMemAlloc", call(l.at["cuMemAlloc_v2"], uintptr(unsafe.Pointer(&p)), uintptr(bytes)))
	return p, err
}

func (l *library) free(p pointer) error {
	return l.check("cuMemFree", call(l.at["cuMemFree_v2"], uintptr(p)))
}

func (l *library) allocPinned(bytes int64) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := l.check("cuMemHostAlloc", call(l.at["cuMemHostAlloc"], uintptr(unsafe.Pointer(&p)), uintptr(bytes), 0))
	return p, err
}

func (l *library) freePinned(p unsafe.Pointer) error {
	return l.check("cuMemFreeHost", call(l.at["cuMemFreeHost"], uintptr(p)))
}

func (l *library) toDevice(dst pointer, src unsafe.Pointer, bytes int64, s stream) error {
	return l.check("cuMemcpyHtoDAsync", call(l.at["cuMemcpyHtoDAsync_v2"], uintptr(dst), uintptr(src), uintptr(bytes), uintptr(s)))
}

func (l *library) toHost(dst unsafe.Pointer, src pointer, bytes int64, s stream) error {
	return l.check("cuMemcpyDtoHAsync", call(l.at["cuMemcpyDtoHAsync_v2"], uintptr(dst), uintptr(src), uintptr(bytes), uintptr(s)))
}

func (l *library) zero(dst pointer, words int64, s stream) error {
	return l.check("cuMemsetD32Async", call(l.at["cuMemsetD32Async"], uintptr(dst), 0, uintptr(words), uintptr(s)))
}

func (l *library) load(ptx string) (module, error) {
	image := append([]byte(ptx), 0)
	report := make([]byte, 8192)
	options := []int32{jitErrorLog, jitErrorLogBytes}
	values := struct { // as an array of two pointers
		report unsafe.Pointer
		bytes  uintptr
	}{unsafe.Pointer(&report[0]), uintptr(len(report))}
	var m module
	err := l.check("cuModuleLoadDataEx", call(l.at["cuModuleLoadDataEx"], uintptr(unsafe.Pointer(&m)), uintptr(unsafe.Pointer(&image[0])),
		uintptr(len(options)), uintptr(unsafe.Pointer(&options[0])), uintptr(unsafe.Pointer(&values))))
	report[len(report)-1] = 0
	if text := strings.TrimSpace(cString(&report[0])); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, strings.ReplaceAll(text, "\n", "; "))
	}
	return m, err
}

func (l *library) unload(m module) error {
	return l.check("cuModuleUnload", call(l.at["cuModuleUnload"], uintptr(m)))
}

func (l *library) function(m module, name string) (function, error) {
	c := append([]byte(name), 0)
	var f function
	err := l.check("cuModuleGetFunction", call(l.at["cuModuleGetFunction"], uintptr(unsafe.Pointer(&f)), uintptr(m), uintptr(unsafe.Pointer(&c[0]))))
	if err != nil {
		err = fmt.Errorf("%w: kernel %s", err, name)
	}
	return f, err
}

func (l *library) allowShared(f function, bytes int) error {
	return l.check("cuFuncSetAttribute", call(l.at["cuFuncSetAttribute"], uintptr(f), functionMaxShared, uintptr(bytes)))
}

func (l *library) launch(f function, grid, block [3]uint32, shared uint32, s stream, slots []uint64) error {
	pointers := make([]unsafe.Pointer, len(slots)+1)
	for i := range slots {
		pointers[i] = unsafe.Pointer(&slots[i])
	}
	return l.check("cuLaunchKernel", call(l.at["cuLaunchKernel"], uintptr(f), uintptr(grid[0]), uintptr(grid[1]), uintptr(grid[2]),
		uintptr(block[0]), uintptr(block[1]), uintptr(block[2]), uintptr(shared), uintptr(s), uintptr(unsafe.Pointer(&pointers[0])), 0))
}

func (l *library) newStream() (stream, error) {
	var s stream
	err := l.check("cuStreamCreate", call(l.at["cuStreamCreate"], uintptr(unsafe.Pointer(&s)), streamNonBlocking))
	return s, err
}

func (l *library) freeStream(s stream) error {
	return l.check("cuStreamDestroy", call(l.at["cuStreamDestroy_v2"], uintptr(s)))
}

func (l *library) waitStream(s stream) error {
	return l.check("cuStreamSynchronize", call(l.at["cuStreamSynchronize"], uintptr(s)))
}

func (l *library) newEvent(timed bool) (event, error) {
	flags := uintptr(eventUntimed)
	if timed {
		flags = 0
	}
	var e event
	err := l.check("cuEventCreate", call(l.at["cuEventCreate"], uintptr(unsafe.Pointer(&e)), flags))
	return e, err
}

func (l *library) freeEvent(e event) error {
	return l.check("cuEventDestroy", call(l.at["cuEventDestroy_v2"], uintptr(e)))
}

func (l *library) record(e event, s stream) error {
	return l.check("cuEventRecord", call(l.at["cuEventRecord"], uintptr(e), uintptr(s)))
}

func (l *library) after(s stream, e event) error {
	return l.check("cuStreamWaitEvent", call(l.at["cuStreamWaitEvent"], uintptr(s), uintptr(e), 0))
}

func (l *library) waitEvent(e event) error {
	return l.check("cuEventSynchronize", call(l.at["cuEventSynchronize"], uintptr(e)))
}

func (l *library) elapsed(from, to event) (float32, error) {
	var ms float32
	err := l.check("cuEventElapsedTime", call(l.at["cuEventElapsedTime"], uintptr(unsafe.Pointer(&ms)), uintptr(from), uintptr(to)))
	return ms, err
}
