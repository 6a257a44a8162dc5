package weights

import (
	"fmt"

	"avssnative/engine/device"
	"avssnative/internal/gguf"
)

// HasCodes says whether a type keeps values as codes beside scales, which Grid takes apart.
func HasCodes(t device.DType) bool {
	kind, known := encoders[t]
	_, _, coded := gguf.CodeRange(kind)
	return known && coded
}

// BlockGrid is which values a block can say with its scales.
type BlockGrid struct {
	*gguf.Grid
	kind gguf.Type
}

// Grid finds the scales of a block for some values, leaves them in dst, and gives the values that it can then say.
func Grid(dst []byte, t device.DType, values []float32) (BlockGrid, error) {
	kind, known := encoders[t]
	if !known {
		return BlockGrid{}, fmt.Errorf("weights: data type %s: values cannot be written in it", t)
	}
	if err := gguf.Quantise(dst, kind, values); err != nil {
		return BlockGrid{}, fmt.Errorf("weights: %w", err)
	}
	grid, err := gguf.GridOf(dst, kind)
	if err != nil {
		return BlockGrid{}, fmt.Errorf("weights: %w", err)
	}
	return BlockGrid{grid, kind}, nil
}

// Put replaces the codes of a block.
func (g BlockGrid) Put(dst []byte, codes []int) error {
	if err := gguf.PutCodes(dst, g.kind, codes); err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	return nil
}
