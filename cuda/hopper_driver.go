package cuda

import (
	"fmt"
	"unsafe"
)

// hopperDriver is what a driver offers beyond the interface for kernels that read tensor maps. The library does, by itself and beneath
// gorgonia.org/cu, which has neither.
type hopperDriver interface {
	encodeTiled(to *tensorMap, matrix mapped) error
	launchParameters(f function, blocks, threads, shared uint32, s stream, parameters []unsafe.Pointer) error
}

// A tensorMap describes a matrix in device memory to the copy engine: 128 bytes that only the driver can write, at a multiple of 64.
type tensorMap struct{ bytes [128 + 63]byte }

func (t *tensorMap) at() unsafe.Pointer {
	p := unsafe.Pointer(&t.bytes[0])
	return unsafe.Add(p, -uintptr(p)&63)
}

// mapped is a bfloat16 matrix [rows × cols] in device memory, pitch values from row to row.
type mapped struct {
	at                pointer
	rows, cols, pitch int
}

// Arguments of cuTensorMapEncodeTiled, from the driver interface's documentation.
const (
	tensorBFloat16       = 9
	tensorSwizzle128     = 3
	tensorPromoteL2By256 = 3
)

// The box of a tensor copy, as kernels/cuda/hopper/product.cu wants it: 128 rows by 128 bytes.
const boxRows, boxCols = 128, 64

func (l *library) encodeTiled(to *tensorMap, m mapped) error {
	encode := l.at["cuTensorMapEncodeTiled"]
	if encode == 0 {
		return fmt.Errorf("the driver has no cuTensorMapEncodeTiled")
	}
	sizes, strides := [2]uint64{uint64(m.cols), uint64(m.rows)}, [1]uint64{uint64(m.pitch) * 2}
	box, steps := [2]uint32{boxCols, boxRows}, [2]uint32{1, 1}
	return l.check("cuTensorMapEncodeTiled", call(encode, uintptr(to.at()), tensorBFloat16, 2, uintptr(m.at), uintptr(unsafe.Pointer(&sizes)),
		uintptr(unsafe.Pointer(&strides)), uintptr(unsafe.Pointer(&box)), uintptr(unsafe.Pointer(&steps)), 0, tensorSwizzle128, tensorPromoteL2By256, 0))
}

// launchParameters is launch for kernels with parameters of any size: each is given by its address.
func (l *library) launchParameters(f function, blocks, threads, shared uint32, s stream, parameters []unsafe.Pointer) error {
	return l.check("cuLaunchKernel", call(l.at["cuLaunchKernel"], uintptr(f), uintptr(blocks), 1, 1, uintptr(threads), 1, 1, uintptr(shared), uintptr(s),
		uintptr(unsafe.Pointer(&parameters[0])), 0))
}
