package device

import "fmt"

// DType is how a stored weight is encoded. Names follow safetensors and GGUF.
type DType string

const (
	F32   DType = "F32"
	F16   DType = "F16"
	BF16  DType = "BF16"
	F64   DType = "F64"
	Q4_0  DType = "Q4_0"
	Q4_1  DType = "Q4_1"
	Q5_0  DType = "Q5_0"
	Q5_1  DType = "Q5_1"
	Q8_0  DType = "Q8_0"
	Q2_K  DType = "Q2_K"
	Q3_K  DType = "Q3_K"
	Q4_K  DType = "Q4_K"
	Q5_K  DType = "Q5_K"
	Q6_K  DType = "Q6_K"
	MXFP4 DType = "MXFP4"
)

// Block returns how many values one block of the type encodes and in how many bytes.
func (t DType) Block() (values, bytes int, err error) {
	size, known := blocks[t]
	if !known {
		return 0, 0, fmt.Errorf("data type %s: not supported; supported: F32 F16 BF16 F64 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K MXFP4", t)
	}
	return size[0], size[1], nil
}

var blocks = map[DType][2]int{
	F32: {1, 4}, F16: {1, 2}, BF16: {1, 2}, F64: {1, 8},
	Q4_0: {32, 18}, Q4_1: {32, 20}, Q5_0: {32, 22}, Q5_1: {32, 24}, Q8_0: {32, 34},
	Q2_K: {256, 84}, Q3_K: {256, 110}, Q4_K: {256, 144}, Q5_K: {256, 176}, Q6_K: {256, 210}, MXFP4: {32, 17},
}

// Weight is a stored matrix [Out × In], seen through a view of a mapped file. Nothing is copied until a device asks.
type Weight struct {
	Name       string // the tensor's name in its file, for errors
	Type       DType
	Data       []byte    // from the matrix's first value to its last
	Out, In    int       // as a product sees them
	Stride     int       // values from one stored row to the next
	Transposed bool      // stored [In × Out], as GPT-2 does; never of a block-quantised type
	Segments   []Segment // which stored rows (columns, where Transposed) make up Out, in order; nil: the first Out of them
}

// Segment is a run of stored output rows.
type Segment struct{ At, Count int }

// Row returns the stored row (column, where Transposed) that is output i.
func (w Weight) Row(i int) int {
	for _, s := range w.Segments {
		if i < s.Count {
			return s.At + i
		}
		i -= s.Count
	}
	return i
}
