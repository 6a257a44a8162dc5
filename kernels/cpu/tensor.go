package cpu

import "unsafe"

// TensorOf describes rows × cols values that begin at data[0], stride apart.
func TensorOf(data []float32, rows, cols, stride int) Tensor {
	return Tensor{unsafe.Pointer(unsafe.SliceData(data)), int64(rows), int64(cols), int64(stride)}
}

// Pointer is the address of a slice's first value, nil for an empty one. It must be pinned, or lie outside Go's heap, while a kernel runs.
func Pointer[T any](s []T) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Pointer(unsafe.SliceData(s))
}
