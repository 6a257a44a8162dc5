package imatrix

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"avssnative/internal/gguf"
)

// Text says what was measured on.
type Text struct {
	Source    string
	Sequences int
	Length    int // tokens of the longest sequence
}

// Write writes sums as llama.cpp's tools do and read: a GGUF file with NAME.in_sum2 [1 × columns], the sum of squares, and NAME.counts [1 × 1],
// the rows, of every matrix. Names must be those of the GGUF file that is to be quantised.
func Write(ctx context.Context, path string, sums map[string]*Sum, text Text) error {
	if len(sums) == 0 {
		return errors.New("imatrix: nothing was measured")
	}
	metadata := []gguf.KV{
		{Key: "general.type", Value: "imatrix"},
		{Key: "imatrix.datasets", Value: []string{text.Source}},
		{Key: "imatrix.chunk_count", Value: uint32(text.Sequences)},
		{Key: "imatrix.chunk_size", Value: uint32(text.Length)},
	}
	var tensors []gguf.Source
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		s := sums[name]
		if s.Rows == 0 {
			return fmt.Errorf("imatrix: %s: no row entered it", name)
		}
		tensors = append(tensors, vector(name+".in_sum2", s.Squares), vector(name+".counts", []float64{float64(s.Rows)}))
	}
	return gguf.Write(ctx, path, metadata, tensors)
}

// vector is a float32 tensor of one row.
func vector(name string, values []float64) gguf.Source {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
	}
	return gguf.Bytes(name, gguf.F32, []int64{1, int64(len(values))}, data)
}

// Former returns why what stands at path is no importance matrix; nil if it is one.
func Former(path string) error {
	f, err := gguf.Open(path)
	if err != nil {
		return errors.New("no importance matrix")
	}
	defer f.Close()
	if kind, _, err := gguf.Get[string](f, "general.type"); err != nil || kind != "imatrix" {
		return errors.New("no importance matrix")
	}
	return nil
}
