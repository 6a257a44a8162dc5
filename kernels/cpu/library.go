//go:build !cgo && (amd64 || arm64) && (linux || darwin)

package cpu

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// shared is the kernels in the shared library that CMakeLists.txt builds, called without cgo.
type shared struct {
	call     uintptr
	is, pick func(int32) int32
	rows     func(int32) int64
	packed   func(int64, int64, int32) int64
	scratch  func(int32, unsafe.Pointer) int64
	take     func(int64) unsafe.Pointer
	give     func(unsafe.Pointer, int64)
	sizeOf   func(int32) int64
	abi      func() int32
}

// libraryName is the file that is looked for beside the program.
func libraryName() string {
	if runtime.GOOS == "darwin" {
		return "libavssnative_cpu.dylib"
	}
	return "libavssnative_cpu.so"
}

// openLibrary opens the library that AVSSNATIVE_LIBCPU names, or the one beside the program; nil where there is none.
func openLibrary() (backend, string, error) {
	path := os.Getenv("AVSSNATIVE_LIBCPU")
	if path == "" {
		program, err := os.Executable()
		if err != nil {
			return nil, "", nil
		}
		path = filepath.Join(filepath.Dir(program), libraryName())
		if _, err := os.Stat(path); err != nil {
			return nil, "", nil
		}
	}
	library, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, "", fmt.Errorf("cpu: kernel library %s: %w", path, err)
	}
	s := &shared{}
	for name, function := range map[string]any{
		"avss_supported": &s.is, "avss_select": &s.pick, "avss_geometry": &s.rows, "avss_packed_bytes": &s.packed, "avss_scratch_bytes": &s.scratch,
		"avss_allocate": &s.take, "avss_release": &s.give, "avss_size": &s.sizeOf, "avss_abi": &s.abi,
	} {
		address, err := purego.Dlsym(library, name)
		if err != nil {
			return nil, "", fmt.Errorf("cpu: kernel library %s: %w", path, err)
		}
		purego.RegisterFunc(function, address)
	}
	if s.call, err = purego.Dlsym(library, "avss_run"); err != nil {
		return nil, "", fmt.Errorf("cpu: kernel library %s: %w", path, err)
	}
	return s, path, nil
}

func (s *shared) run(operation Operation, arguments, scratch unsafe.Pointer, from, to int64) {
	purego.SyscallN(s.call, uintptr(operation), uintptr(arguments), uintptr(from), uintptr(to), uintptr(scratch))
	runtime.KeepAlive(arguments)
}
func (s *shared) supported(i ISA) bool      { return i != Go && s.is(int32(i)) == 1 }
func (s *shared) choose(i ISA) bool         { return i != Go && s.pick(int32(i)) == 0 }
func (s *shared) geometry(bf16 int32) int64 { return s.rows(bf16) }
func (s *shared) packedBytes(rows, cols int64, bf16 int32) int64 {
	return s.packed(rows, cols, bf16)
}
func (s *shared) scratchBytes(operation Operation, arguments unsafe.Pointer) int64 {
	return s.scratch(int32(operation), arguments)
}
func (s *shared) allocate(bytes int64) unsafe.Pointer        { return s.take(bytes) }
func (s *shared) release(memory unsafe.Pointer, bytes int64) { s.give(memory, bytes) }
func (s *shared) size(operation int32) int64                 { return s.sizeOf(operation) }
func (s *shared) version() int32                             { return s.abi() }
