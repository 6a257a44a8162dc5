package gguf

import (
	"fmt"
	"math"
	"math/bits"
)

// Type is how a tensor's numbers are stored. The numbers are the format's own.
type Type uint32

// The types that Dequantise reads.
const (
	F32    Type = 0
	F16    Type = 1
	Q4_0   Type = 2
	Q4_1   Type = 3
	Q5_0   Type = 6
	Q5_1   Type = 7
	Q8_0   Type = 8
	Q2_K   Type = 10
	Q3_K   Type = 11
	Q4_K   Type = 12
	Q5_K   Type = 13
	Q6_K   Type = 14
	IQ4_NL Type = 20
	IQ4_XS Type = 23
	BF16   Type = 30
	MXFP4  Type = 39
)

// layouts holds every type whose tensors can at least be copied: a block of elements takes so many bytes. They are those of ggml.h; numbers
// that are not here were given up there.
var layouts = map[Type]struct {
	name            string
	elements, bytes int
}{
	F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, BF16: {"BF16", 1, 2},
	Q4_0: {"Q4_0", 32, 18}, Q4_1: {"Q4_1", 32, 20}, Q5_0: {"Q5_0", 32, 22}, Q5_1: {"Q5_1", 32, 24}, Q8_0: {"Q8_0", 32, 34},
	Q2_K: {"Q2_K", 256, 84}, Q3_K: {"Q3_K", 256, 110}, Q4_K: {"Q4_K", 256, 144}, Q5_K: {"Q5_K", 256, 176}, Q6_K: {"Q6_K", 256, 210},
	IQ4_NL: {"IQ4_NL", 32, 18}, IQ4_XS: {"IQ4_XS", 256, 136}, MXFP4: {"MXFP4", 32, 17},
	9: {"Q8_1", 32, 36}, 15: {"Q8_K", 256, 292},
	16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98}, 19: {"IQ1_S", 256, 50},
	21: {"IQ3_S", 256, 110}, 22: {"IQ2_S", 256, 82}, 29: {"IQ1_M", 256, 56},
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8}, 28: {"F64", 1, 8},
	34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66}, 40: {"NVFP4", 64, 36}, 41: {"Q1_0", 128, 18}, 42: {"Q2_0", 64, 18},
}

// String returns the format's name of the type.
func (t Type) String() string {
	if layout, ok := layouts[t]; ok {
		return layout.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Block returns how many elements a block has and how many bytes it takes; 0, 0 for an unknown type.
func (t Type) Block() (elements, bytes int) {
	layout := layouts[t]
	return layout.elements, layout.bytes
}

// Size returns the bytes of a tensor. shape is outermost dimension first, as in Tensor: rows, the last dimension, are whole blocks.
func (t Type) Size(shape []int64) (int64, error) {
	layout, known := layouts[t]
	if !known {
		return 0, fmt.Errorf("%s is unknown", t)
	}
	elements := uint64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		if shape[i] < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		high, low := bits.Mul64(elements, uint64(shape[i]))
		if high != 0 || low > math.MaxInt64 {
			return 0, fmt.Errorf("shape %v has more than 2^63 elements", shape)
		}
		elements = low
	}
	if row := lastOf(shape); row%int64(layout.elements) != 0 {
		return 0, fmt.Errorf("rows of %d are no whole %s blocks of %d", row, layout.name, layout.elements)
	}
	high, low := bits.Mul64(elements/uint64(layout.elements), uint64(layout.bytes))
	if high != 0 || low > math.MaxInt64 {
		return 0, fmt.Errorf("shape %v of %s has more than 2^63 bytes", shape, layout.name)
	}
	return int64(low), nil
}

func lastOf(shape []int64) int64 {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}
