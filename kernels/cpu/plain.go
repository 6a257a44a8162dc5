package cpu

import (
	"encoding/binary"
	"math"
	"unsafe"

	"avssnative/internal/gguf"
)

// plain is the kernels in Go, products by gonum: what serves a program without compiled kernels, and the slow twin of the C files in
// tests. Files plain_*.go hold one group of operations each; the meaning of arguments and jobs is that of kernels.h.
type plain struct{}

// plainPanel is the number of rows that stand together in plain's packed activations: one, row-major, each on a cache line.
const plainPanel = 4

func (plain) abi() int32 { return ABI }

func (plain) size(operation int32) int64 {
	if operation < int32(operations) {
		return int64(table[operation].size)
	}
	return int64(results[operation-int32(operations)])
}

func (plain) supported(isa int32) int32 { return flag(ISA(isa) == Go) }
func (plain) choose(isa int32) int32    { return flag(ISA(isa) == Go) - 1 }
func (plain) geometry(int32) int64      { return plainPanel }

// lineStride is the distance of packed rows: whole cache lines, so that the order of a sum in gonum, which looks at addresses, is the same
// for every row.
func lineStride(cols int64) int64 { return (cols + 15) / 16 * 16 }

func (plain) packedBytes(rows, cols int64, _ int32) int64 {
	return (rows+plainPanel)*lineStride(cols)*4 + 64
}

func (plain) scratchBytes(operation int32, arguments unsafe.Pointer) int64 {
	switch Operation(operation) {
	case Multiply:
		return Panel * lineStride((*ProductArguments)(arguments).X.Cols) * 4
	case Head:
		a := (*HeadArguments)(arguments)
		return Panel*lineStride(a.W.In)*4 + a.Variants*a.RowsJob*Panel*4
	}
	return 0
}

// allocate takes Go memory, on a cache line.
func (plain) allocate(bytes int64) unsafe.Pointer {
	memory := make([]byte, bytes+64)
	at := uintptr(unsafe.Pointer(&memory[0])) % 64
	return unsafe.Pointer(&memory[(64-at)%64])
}

func (plain) release(unsafe.Pointer, int64) {}

func (plain) run(operation int32, arguments unsafe.Pointer, from, to int64, scratch unsafe.Pointer) {
	table[operation].plain(arguments, scratch, from, to)
}

// row is row i of a tensor.
func (t *Tensor) row(i int64) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(t.Data, 4*i*t.Stride)), t.Cols)
}

// slice reads n values at p, none where p is nil.
func slice[T any](p unsafe.Pointer, n int64) []T {
	if p == nil {
		return nil
	}
	return unsafe.Slice((*T)(p), n)
}

// ggufTypes are gguf's numbers of the types with blocks.
var ggufTypes = [...]gguf.Type{
	Q40: gguf.Q4_0, Q41: gguf.Q4_1, Q50: gguf.Q5_0, Q51: gguf.Q5_1, Q80: gguf.Q8_0, Q2K: gguf.Q2_K, Q3K: gguf.Q3_K, Q4K: gguf.Q4_K,
	Q5K: gguf.Q5_K, Q6K: gguf.Q6_K, MXFP4: gguf.MXFP4,
}

// stored is the stored row (column, where transposed) of output i.
func (w *Weight) stored(i int64) int64 {
	segments := slice[int64](w.Segments, 2*w.SegmentCount)
	for s := 0; s < len(segments); s += 2 {
		if i < segments[s+1] {
			return segments[s] + i
		}
		i -= segments[s+1]
	}
	return i
}

// output decodes the In values of output i into dst.
func (w *Weight) output(dst []float32, i int64) {
	at, size := w.stored(i), blockSize[w.Type]
	if w.Transposed != 0 {
		for k := range dst {
			w.widen(dst[k:k+1], (int64(k)*w.Stride+at)*size.bytes)
		}
		return
	}
	w.widen(dst, at*w.Stride/size.values*size.bytes)
}

// widen decodes values that begin at a byte of the data.
func (w *Weight) widen(dst []float32, at int64) {
	size := blockSize[w.Type]
	data := unsafe.Slice((*byte)(unsafe.Add(w.Data, at)), int64(len(dst))/size.values*size.bytes)
	switch Type(w.Type) {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(data[2*i:])) << 16)
		}
	case F16:
		for i := range dst {
			dst[i] = halfValue(binary.LittleEndian.Uint16(data[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:])))
		}
	default:
		if err := gguf.Dequantise(dst, ggufTypes[w.Type], data); err != nil { // lengths are whole blocks: only a wrong type could fail
			panic(err)
		}
	}
}

// halfValue widens an IEEE half.
func halfValue(h uint16) float32 {
	sign, rest := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	switch {
	case rest >= 0x7c00:
		return math.Float32frombits(sign | 0x7f800000 | rest&0x3ff<<13)
	case rest >= 0x400:
		return math.Float32frombits(sign | (rest<<13 + 0x38000000))
	}
	return math.Float32frombits(sign | math.Float32bits(float32(rest)*0x1p-24))
}

// roundedBF16 is the nearest bfloat16, ties to even; NaN stays NaN.
func roundedBF16(v float32) float32 {
	u := math.Float32bits(v)
	if v == v {
		u += 0x7fff + u>>16&1
	} else {
		u |= 0x400000
	}
	return math.Float32frombits(u &^ 0xffff)
}

func roundBF16(x []float32) {
	for i, v := range x {
		x[i] = roundedBF16(v)
	}
}
