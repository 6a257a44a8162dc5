// Package cpu is the binding of the CPU kernels: C11, one file an operation, for AVX-512, AVX2, NEON and any processor, chosen at run time.
// It knows nothing of models; package engine makes a device of it.
//
// An operation is run as jobs from..to of its arguments (Kernels.Run); what a job is stands beside the arguments in kernels.h, which the
// structs of this file mirror.
package cpu

import "unsafe"

// Operation names what Kernels.Run does.
type Operation int32

// The operations, in the order of kernels.h.
const (
	Pack Operation = iota
	Multiply
	Attend
	Normalise
	Add
	Scale
	Clamp
	Activate
	Rotate
	Embed
	Gather
	Scatter
	Columns
	Convolve
	Delta
	Measure
	Head
	Peak
	Pool
	operations
)

// Type is how a stored weight is encoded, in the order of kernels.h.
type Type int32

// The types of stored weights.
const (
	F32 Type = iota
	F16
	BF16
	F64
	Q40
	Q41
	Q50
	Q51
	Q80
	Q2K
	Q3K
	Q4K
	Q5K
	Q6K
	MXFP4
)

// Panel is the number of outputs of a packed weight panel; QueryRows the most query rows of an attention job; MaxEps the most
// thresholds of MeasureArguments; HeadTile divides HeadArguments.Chunk.
const (
	Panel     = 32
	QueryRows = 336
	MaxEps    = 8
	SiteCount = 5
	HeadTile  = 256
)

// Arguments are what one operation takes.
type Arguments interface{ pointer() unsafe.Pointer }

// Tensor is a row-major matrix; Stride is in values. The zero value stands for "none".
type Tensor struct {
	Data               unsafe.Pointer
	Rows, Cols, Stride int64
}

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

// Weight is a stored matrix; Segments are pairs (first stored row, count).
type Weight struct {
	Data, Segments        unsafe.Pointer
	SegmentCount, Out, In int64
	Stride                int64
	Type, Transposed      int32
}

// ProductArguments: Dst = X·Wᵀ + Bias.
type ProductArguments struct {
	Dst, X       Tensor
	W            Weight
	Bias, Packed unsafe.Pointer
	// A job is RowsCut rows of a block of RowsJob and a panel of W; up to PanelsJob panels are multiplied together.
	RowsJob, RowsCut, PanelsJob int64
	BF16, _                     int32
}

// AttentionArguments: Jobs holds seven int64 a block of query rows. BF16 rounds the operands of both products.
type AttentionArguments struct {
	Dst, Q, K, V                      Tensor
	Jobs, Slopes, Sinks               unsafe.Pointer
	Heads, KVHeads, HeadDim, ValueDim int64
	Window, Chunk                     int64
	Scale, SoftCap                    float32
	Causal, BF16                      int32
}

// NormArguments: Kind as engine.NormKind.
type NormArguments struct {
	Dst, X                       Tensor
	Weight, Bias                 unsafe.Pointer
	Groups, WeightCols, BiasCols int64
	Eps, Offset                  float32
	Kind, _                      int32
}

// AddArguments: Dst = A + Factor·B.
type AddArguments struct {
	Dst, A, B Tensor
	Factor    float32
	_         int32
}

// ScaleArguments serve Scale and Clamp.
type ScaleArguments struct {
	X      Tensor
	PerRow unsafe.Pointer
	Factor float32
	_      int32
}

// ActivateArguments: Kind as engine.ActivationKind.
type ActivateArguments struct {
	Dst, Gate, Up                           Tensor
	Alpha, Limit, AlphaP, AlphaN, Beta, Eps float32
	Kind, Interleaved                       int32
}

// RotateArguments: Turns holds cosines, then sines, of Pairs angles a position; At which of them a row takes.
type RotateArguments struct {
	X                      Tensor
	Turns, At              unsafe.Pointer
	HeadDim, Offset, Pairs int64
	Interleaved, _         int32
}

// EmbedArguments: Dst[i] = Scale·Table[IDs[i]].
type EmbedArguments struct {
	Dst   Tensor
	Table Weight
	IDs   unsafe.Pointer
	Scale float32
	_     int32
}

// RowsArguments serve Gather and Scatter.
type RowsArguments struct {
	Dst, Src      Tensor
	Rows, Weights unsafe.Pointer
}

// ColumnsArguments: Moves holds (from, to, count) as int64.
type ColumnsArguments struct {
	Dst, Src Tensor
	Moves    unsafe.Pointer
	Count    int64
}

// ConvolveArguments: an int32 a row in Position, Start and Before.
type ConvolveArguments struct {
	Dst, X, Kernel                Tensor
	Bias, Position, Start, Before unsafe.Pointer
}

// DeltaArguments: Sequences holds (first, end, prefix first, prefix end) as int64.
type DeltaArguments struct {
	Dst, Q, K, V, Gate, Beta          Tensor
	Sequences                         unsafe.Pointer
	Heads, KeyHeads, KeyDim, ValueDim int64
}

// Moments are the sums of one site over a block of rows.
type Moments struct {
	Sum, Sum2, Sum3, Sum4, SumAbs float64
	RelativeSum, RelativeSum2     float64
	Min, Max                      float64
	Near                          int64
	Below                         [MaxEps]int64
	NaN, Inf                      int64
}

// RowSums is what Measure finds in one block of rows.
type RowSums struct {
	Site                       [SiteCount]Moments
	Cosine, Distance, Relative float64
}

// MeasureArguments: Blocks holds (first row, end) as int64; Eps ascends.
type MeasureArguments struct {
	X, Y, Attn, MLP, Act Tensor
	Blocks, Out          unsafe.Pointer
	Eps                  [MaxEps]float32
	EpsCount             int64
	Near                 float32
	_                    int32
}

// PoolArguments: Sequences holds (first row, end) as int64.
type PoolArguments struct {
	X, Minus       Tensor
	Sequences, Out unsafe.Pointer
}

// HeadPart is what one chunk of the vocabulary comes to for one row of one variant.
type HeadPart struct {
	Max, Sum, Cross float64
	Top             float32
	TopAt           int32
}

// HeadArguments: Packed holds a pointer a variant.
type HeadArguments struct {
	W                                                   Weight
	Bias, Packed, Offsets, Targets, TargetLogits, Parts unsafe.Pointer
	Variants, Rows, TargetCount, RowsJob, Chunk         int64
	Scale, SoftCap                                      float32
	Diverge, BF16                                       int32
}

// PeakArguments: a job does Flops operations that touch no memory.
type PeakArguments struct {
	Flops int64
	Sink  float32
	BF16  int32
}

func (a *ProductArguments) pointer() unsafe.Pointer   { return unsafe.Pointer(a) }
func (a *AttentionArguments) pointer() unsafe.Pointer { return unsafe.Pointer(a) }
func (a *NormArguments) pointer() unsafe.Pointer      { return unsafe.Pointer(a) }
func (a *AddArguments) pointer() unsafe.Pointer       { return unsafe.Pointer(a) }
func (a *ScaleArguments) pointer() unsafe.Pointer     { return unsafe.Pointer(a) }
func (a *ActivateArguments) pointer() unsafe.Pointer  { return unsafe.Pointer(a) }
func (a *RotateArguments) pointer() unsafe.Pointer    { return unsafe.Pointer(a) }
func (a *EmbedArguments) pointer() unsafe.Pointer     { return unsafe.Pointer(a) }
func (a *RowsArguments) pointer() unsafe.Pointer      { return unsafe.Pointer(a) }
func (a *ColumnsArguments) pointer() unsafe.Pointer   { return unsafe.Pointer(a) }
func (a *ConvolveArguments) pointer() unsafe.Pointer  { return unsafe.Pointer(a) }
func (a *DeltaArguments) pointer() unsafe.Pointer     { return unsafe.Pointer(a) }
func (a *MeasureArguments) pointer() unsafe.Pointer   { return unsafe.Pointer(a) }
func (a *PoolArguments) pointer() unsafe.Pointer      { return unsafe.Pointer(a) }
func (a *HeadArguments) pointer() unsafe.Pointer      { return unsafe.Pointer(a) }
func (a *PeakArguments) pointer() unsafe.Pointer      { return unsafe.Pointer(a) }

// sizes are what avss_size must say, operation by operation, then RowSums and HeadPart.
var sizes = []uintptr{
	unsafe.Sizeof(ProductArguments{}), unsafe.Sizeof(ProductArguments{}), unsafe.Sizeof(AttentionArguments{}), unsafe.Sizeof(NormArguments{}),
	unsafe.Sizeof(AddArguments{}), unsafe.Sizeof(ScaleArguments{}), unsafe.Sizeof(ScaleArguments{}), unsafe.Sizeof(ActivateArguments{}),
	unsafe.Sizeof(RotateArguments{}), unsafe.Sizeof(EmbedArguments{}), unsafe.Sizeof(RowsArguments{}), unsafe.Sizeof(RowsArguments{}),
	unsafe.Sizeof(ColumnsArguments{}), unsafe.Sizeof(ConvolveArguments{}), unsafe.Sizeof(DeltaArguments{}), unsafe.Sizeof(MeasureArguments{}),
	unsafe.Sizeof(HeadArguments{}), unsafe.Sizeof(PeakArguments{}), unsafe.Sizeof(PoolArguments{}), unsafe.Sizeof(RowSums{}),
	unsafe.Sizeof(HeadPart{}),
}
