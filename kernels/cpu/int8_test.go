package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"unsafe"
)

// quantised is x [rows × cols] quantised by kernels k.
func (b *bench) quantised(k *Kernels, x []float32, rows, cols int) unsafe.Pointer {
	memory := k.Allocate(int64(rows*((cols+255)/256)) * QuantisedBytes / 4)
	b.t.Cleanup(func() { k.Release(memory) })
	b.pins.Pin(unsafe.SliceData(memory))
	a := QuantiseArguments{X: TensorOf(x, rows, cols, cols), Quantised: Pointer(memory)}
	do(b, k, Quantise, &a, int64(rows))
	return a.Quantised
}

// Quantised activations are those of plain Go, to the bit, of numbers of every size and of none.
func TestQuantise(t *testing.T) {
	against(t, func(t *testing.T, k, slow *Kernels) {
		const rows, cols = 9, 608
		b := newBench(t)
		x := b.values(rows * cols)
		for i := range x {
			x[i] = float32(math.Ldexp(float64(x[i]), i/320%37*8-170)) // down to numbers that count as zero
			if i/cols == 4 {
				x[i] = float32(i%255-127) / 2 // ties
			}
		}
		clear(x[96:160])
		x[2*cols+40], x[3*cols+300], x[5*cols] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
		x[6*cols], x[6*cols+32] = math.MaxFloat32, -math.MaxFloat32
		got, want := b.quantised(k, x, rows, cols), b.quantised(slow, x, rows, cols)
		for row := range int64(rows) {
			for i, g := range groups(got, row, cols) {
				w := groups(want, row, cols)[i]
				bits := func(g *quantisedGroup) [QuantisedBytes]byte {
					for j, v := range g.scale { // which of the numbers that are none is not promised
						if v != v {
							none := float32(math.NaN())
							g.scale[j], g.sum[j] = none, none
							for half := 2 * j; half < 2*j+2; half++ {
								g.halfScale[half], g.halfSum[half] = none, none
							}
						}
					}
					return *(*[QuantisedBytes]byte)(unsafe.Pointer(g))
				}
				if bits(&g) != bits(&w) {
					t.Fatalf("row %d, group %d: %v, plain Go finds %v", row, i, g, w)
				}
			}
		}
	})
}

// A product of few quantised rows against plain Go, and against itself with other rows beside each.
func TestProductOfFewRowsInt8(t *testing.T) {
	against(t, func(t *testing.T, k, slow *Kernels) {
		for kind := Q40; kind <= Q6K; kind++ {
			b := newBench(t)
			const m, n = 17, 43
			inner := 768
			if blockSize[kind].values == 32 {
				inner += 96
			}
			data := b.stored(kind, n+3, inner)
			segments := keep(b, []int64{20, 26, 2, 17})
			w := Weight{Data: Pointer(data), Out: n, In: int64(inner), Stride: int64(inner), Type: int32(kind)}
			w.Segments, w.SegmentCount = Pointer(segments), 2
			x, bias, got, want, part := b.values(m*inner), b.values(n), b.values(m*n), b.values(m*n), b.values(m*n)
			a := FewArguments{Dst: TensorOf(want, m, n, n), X: TensorOf(x, m, inner, inner), W: w, Bias: Pointer(bias)}
			a.Quantised = b.quantised(slow, x, m, inner)
			do(b, slow, MultiplyFewInt8, &a, n)
			a.Dst = TensorOf(got, m, n, n)
			do(b, k, MultiplyFewInt8, &a, n)
			// sums of 864 products, of which 16 or 32 are summed exactly, in two orders, as TestProductOfEveryType has them
			near(t, fmt.Sprintf("type %d", kind), got, want, 3e-5)
			for rows := 1; rows <= m; rows++ {
				last := x[(m-rows)*inner:]
				a.X, a.Dst = TensorOf(last, rows, inner, inner), TensorOf(part, rows, n, n)
				a.Quantised = b.quantised(slow, last, rows, inner)
				clear(part)
				scratch := k.Allocate(k.Scratch(MultiplyFewInt8, &a)/4 + 1)
				for from, to := int64(0), int64(0); to < n; from = to { // in jobs of every size
					to = min(from+1+int64(rows)%7, n)
					k.Run(MultiplyFewInt8, &a, from, to, Pointer(scratch))
				}
				k.Release(scratch)
				for i := range rows * n {
					if part[i] != got[(m-rows)*n+i] {
						t.Fatalf("type %d: %d rows: value %d: %g, want exactly %g", kind, rows, i, part[i], got[(m-rows)*n+i])
					}
				}
			}
		}
	})
}

// factorsAt is where a block's factors of half precision stand.
var factorsAt = map[Type][]int{
	Q40: {0}, Q41: {0, 2}, Q50: {0}, Q51: {0, 2}, Q80: {0}, Q2K: {80, 82}, Q3K: {108}, Q4K: {0, 2}, Q5K: {0, 2}, Q6K: {208},
}

// wholeBlocks stores blocks whose factors are one, so that values are whole numbers: codes, or codes times the codes of scales.
func (b *bench) wholeBlocks(kind Type, rows, cols int) []byte {
	data := b.stored(kind, rows, cols)
	size := blockSize[kind]
	for at := 0; at < len(data); at += int(size.bytes) {
		for _, factor := range factorsAt[kind] {
			binary.LittleEndian.PutUint16(data[at+factor:], 0x3c00)
		}
	}
	return data
}

// Where all scales are one, an output is a whole number, and every instruction set finds that very number.
func TestIntegersAreExact(t *testing.T) {
	against(t, func(t *testing.T, k, slow *Kernels) {
		for kind := Q40; kind <= Q6K; kind++ {
			b := newBench(t)
			const m, n, inner = 5, 11, 256
			x, got := b.values(m*inner), b.values(m*n)
			for i := range x { // small, so that float32 holds the sums, but for one a block that makes its scale one
				if x[i] = float32(b.r.IntN(19) - 9); i%32 == i/32%32 {
					x[i] = float32(127 - 254*b.r.IntN(2))
				}
			}
			data := b.wholeBlocks(kind, n, inner)
			w := Weight{Data: Pointer(data), Out: n, In: inner, Stride: inner, Type: int32(kind)}
			a := FewArguments{Dst: TensorOf(got, m, n, n), X: TensorOf(x, m, inner, inner), W: w, Quantised: b.quantised(k, x, m, inner)}
			do(b, k, MultiplyFewInt8, &a, n)
			weight := make([]float32, inner)
			for o := range n {
				w.output(weight, int64(o))
				for row := range m {
					want := 0
					for i, v := range weight {
						want += int(v) * int(x[row*inner+i])
					}
					if got[row*n+o] != float32(want) {
						t.Fatalf("type %d: row %d, output %d: %g, want %d", kind, row, o, got[row*n+o], want)
					}
				}
			}
		}
	})
}
