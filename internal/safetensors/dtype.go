package safetensors

import (
	"fmt"
	"math/bits"
)

// bitsOf holds the element sizes of the dtypes the format's reference implementation knows. A dtype outside it is carried as text: such
// a tensor can be copied, and its size is not checked against its shape.
var bitsOf = map[string]uint64{
	"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
	"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
	"U16": 16, "I16": 16, "F16": 16, "BF16": 16,
	"U32": 32, "I32": 32, "F32": 32,
	"U64": 64, "I64": 64, "F64": 64, "C64": 64,
}

// Size returns the bytes a tensor of this dtype and shape takes. known is false for a dtype that is not in the table; the size is then
// unknown too. A negative dimension, a size beyond 2^63 and a size that is no whole number of bytes are errors.
func Size(dtype string, shape []int64) (size int64, known bool, err error) {
	elements := uint64(1)
	empty := false
	for _, dimension := range shape {
		if dimension < 0 {
			return 0, false, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		empty = empty || dimension == 0
	}
	if empty {
		elements = 0
	}
	for _, dimension := range shape {
		high, low := bits.Mul64(elements, uint64(dimension))
		if high != 0 {
			return 0, false, fmt.Errorf("shape %v has more than 2^64 elements", shape)
		}
		elements = low
	}
	width, known := bitsOf[dtype]
	if !known {
		return 0, false, nil
	}
	high, low := bits.Mul64(elements, width)
	if high != 0 {
		return 0, true, fmt.Errorf("shape %v of %s has more than 2^64 bits", shape, dtype)
	}
	if low%8 != 0 {
		return 0, true, fmt.Errorf("shape %v of %s is %d bits, not whole bytes", shape, dtype, low)
	}
	return int64(low / 8), true, nil
}

// alignment is the multiple a tensor's first byte should lie at, so that its elements can be viewed in place.
func alignment(dtype string) int64 {
	if width, known := bitsOf[dtype]; known && width >= 8 {
		return int64(width / 8)
	}
	return 1
}
