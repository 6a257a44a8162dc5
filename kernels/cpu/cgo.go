//go:build cgo && (amd64 || arm64)

package cpu

// #cgo CFLAGS: -std=c11 -O3 -Wall -Wextra
// #cgo !windows LDFLAGS: -lm
// #include "kernels.h"
import "C"

import "unsafe"

// compiled is the kernels as cgo built them into this program.
type compiled struct{}

func reach() (backend, []string, error) { return compiled{}, nil, check(compiled{}) }

func (compiled) run(operation Operation, arguments, scratch unsafe.Pointer, from, to int64) {
	C.avss_run(C.int32_t(operation), arguments, C.int64_t(from), C.int64_t(to), scratch)
}
func (compiled) supported(i ISA) bool { return C.avss_supported(C.int32_t(i)) == 1 }
func (compiled) choose(i ISA) bool    { return C.avss_select(C.int32_t(i)) == 0 }
func (compiled) geometry(bf16 int32) int64 {
	return int64(C.avss_geometry(C.int32_t(bf16)))
}
func (compiled) packedBytes(rows, cols int64, bf16 int32) int64 {
	return int64(C.avss_packed_bytes(C.int64_t(rows), C.int64_t(cols), C.int32_t(bf16)))
}
func (compiled) scratchBytes(operation Operation, arguments unsafe.Pointer) int64 {
	return int64(C.avss_scratch_bytes(C.int32_t(operation), arguments))
}
func (compiled) allocate(bytes int64) unsafe.Pointer { return C.avss_allocate(C.int64_t(bytes)) }
func (compiled) release(memory unsafe.Pointer, bytes int64) {
	C.avss_release(memory, C.int64_t(bytes))
}
func (compiled) size(operation int32) int64 { return int64(C.avss_size(C.int32_t(operation))) }
func (compiled) version() int32             { return int32(C.avss_abi()) }
