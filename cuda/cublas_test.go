package cuda

import (
	"fmt"
	"unsafe"
)

// cublas is NVIDIA's own product, opened where it is installed, for the benchmarks to be held against. Constants from cublas_api.h and
// library_types.h.
type cublas struct {
	name                 string
	gemm, stream, delete uintptr
	handle               uintptr
}

const (
	cublasPlain, cublasTransposed = 0, 1
	cublasF32, cublasBF16         = 0, 14
	cublasSumF32                  = 68
)

// openCublas makes a handle in the context that is bound to this thread; the error says why there is none.
func openCublas(s stream) (*cublas, error) {
	var handle uintptr
	var err error
	c := &cublas{}
	for _, c.name = range []string{"libcublas.so.13", "libcublas.so.12"} {
		if handle, err = loadLibrary(c.name); err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cuda: cuBLAS: neither libcublas.so.13 nor libcublas.so.12 can be opened (%w)", err)
	}
	var create uintptr
	for symbol, to := range map[string]*uintptr{
		"cublasCreate_v2": &create, "cublasDestroy_v2": &c.delete, "cublasSetStream_v2": &c.stream, "cublasGemmEx": &c.gemm,
	} {
		if *to, err = lookUp(handle, symbol); err != nil {
			return nil, fmt.Errorf("cuda: cuBLAS: %s has no %s", c.name, symbol)
		}
	}
	if code := call(create, uintptr(unsafe.Pointer(&c.handle))); code != 0 {
		return nil, fmt.Errorf("cuda: cuBLAS: %s: cublasCreate gives status %d", c.name, code)
	}
	if code := call(c.stream, c.handle, uintptr(s)); code != 0 {
		c.close()
		return nil, fmt.Errorf("cuda: cuBLAS: %s: cublasSetStream gives status %d", c.name, code)
	}
	return c, nil
}

func (c *cublas) close() { call(c.delete, c.handle) }

// product queues dst = x·Wᵀ: x [rows × in] and W [out × in] of bfloat16, dst [rows × out] of float32, each with its values from row to row.
// cuBLAS counts columns first, so that it computes the transpose, W·xᵀ.
func (c *cublas) product(dst uint64, to int, x uint64, lx int, w uint64, lw, rows, out, in int) error {
	one, zero := float32(1), float32(0)
	code := call(c.gemm, c.handle, cublasTransposed, cublasPlain, uintptr(out), uintptr(rows), uintptr(in), uintptr(unsafe.Pointer(&one)),
		uintptr(w), cublasBF16, uintptr(lw), uintptr(x), cublasBF16, uintptr(lx), uintptr(unsafe.Pointer(&zero)), uintptr(dst), cublasF32, uintptr(to),
		cublasSumF32, ^uintptr(0)) // the last: CUBLAS_GEMM_DEFAULT, −1
	if code != 0 {
		return fmt.Errorf("cuda: cuBLAS: cublasGemmEx gives status %d", code)
	}
	return nil
}
