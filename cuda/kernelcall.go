package cuda

import (
	"fmt"
	"math"
	"unsafe"
)

//go:generate go run avssnative/kernels/cuda/gen

// An address is where values of one type lie in device memory; 0 is nowhere.
type address[T any] uint64

// plus is the address of the value n places further.
func (a address[T]) plus(n int) address[T] {
	var one T
	return a + address[T](n)*address[T](unsafe.Sizeof(one))
}

// A view is a matrix in device memory as kernels take it: where its first value lies, and how many values lie between rows.
type view[T any] struct {
	at address[T]
	ld int64
}

// viewOf is the view of what lies at p, ld values between rows.
func viewOf[T any](p pointer, ld int) view[T] { return view[T]{address[T](p), int64(ld)} }

// The types that kernels point to and no operation does: the bits of a bfloat16, and what an epilogue leaves of 64 columns of a row.
type (
	bfloat16   uint16
	groupSums  [4][4]uint32 // moments.cuh
	logitGroup [4]uint32    // epilogue.cuh
)

// A kernelCall is a kernel with its arguments. Only the functions of kernels_gen.go make one.
type kernelCall struct {
	kernel, source string
	maps           []*tensorMap // the first arguments, of the kernels that read tensor maps
	slots          []uint64     // the others, eight bytes each whatever their type
	err            error        // an argument too large for its parameter
}

func newCall(kernel, source string, parameters int) kernelCall {
	return kernelCall{kernel: kernel, source: source, slots: make([]uint64, 0, parameters)}
}

func (c *kernelCall) tensorMap(m *tensorMap) { c.maps = append(c.maps, m) }
func (c *kernelCall) address(a uint64)       { c.slots = append(c.slots, a) }
func (c *kernelCall) int64(n int64)          { c.slots = append(c.slots, uint64(n)) }
func (c *kernelCall) uint32(n uint32)        { c.slots = append(c.slots, uint64(n)) }
func (c *kernelCall) float32(x float32)      { c.slots = append(c.slots, uint64(math.Float32bits(x))) }

func (c *kernelCall) int32(name string, n int) {
	if n != int(int32(n)) && c.err == nil {
		c.err = fmt.Errorf("kernel %s: %s is %d, more than 32 bits hold", c.kernel, name, n)
	}
	c.slots = append(c.slots, uint64(uint32(int32(n))))
}

// flag is a truth value as kernels take it.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
