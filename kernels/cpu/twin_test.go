package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"
)

// Every instruction set against the plain Go kernels, through the same arguments.

// bench holds what a test's arguments point to.
type bench struct {
	t    *testing.T
	r    *rand.Rand
	pins runtime.Pinner
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, r: rand.New(rand.NewPCG(3, 4))}
	t.Cleanup(b.pins.Unpin)
	return b
}

func keep[T any](b *bench, s []T) []T {
	if len(s) > 0 {
		b.pins.Pin(&s[0])
	}
	return s
}

// values are n random numbers, a few of them large.
func (b *bench) values(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = b.r.Float32()*2 - 1
	}
	return keep(b, s)
}

// against runs test with each compiled set of kernels, and with plain Go.
func against(t *testing.T, test func(t *testing.T, k, plainGo *Kernels)) {
	b, _, err := openBackend()
	if err != nil {
		t.Fatal(err)
	}
	slow := &Kernels{plain{}, Go, nil}
	for _, i := range available(b) {
		t.Run(i.String(), func(t *testing.T) {
			k, err := OpenISA(i)
			if err != nil {
				t.Fatal(err)
			}
			test(t, k, slow)
		})
	}
}

// do runs jobs with scratch of its own.
func do(b *bench, k *Kernels, operation Operation, a Arguments, jobs int64) {
	b.t.Helper()
	scratch := k.Allocate(k.Scratch(operation, a)/4 + 1)
	defer k.Release(scratch)
	k.Run(operation, a, 0, jobs, unsafe.Pointer(unsafe.SliceData(scratch)))
}

// near complains where two results differ by more than tolerance times the largest wanted value.
func near(t *testing.T, what string, got, want []float32, tolerance float64) {
	t.Helper()
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= tolerance*largest) {
			t.Fatalf("%s: value %d: %g, plain Go finds %g; tolerance %g", what, i, got[i], want[i], tolerance*largest)
		}
	}
}

// stored makes the bytes of rows × cols values of a type: random blocks whose factors are ordinary numbers.
func (b *bench) stored(kind Type, rows, cols int) []byte {
	size := blockSize[kind]
	data := make([]byte, int64(rows*cols)/size.values*size.bytes)
	for i := range data {
		data[i] = byte(b.r.Uint32())
	}
	half := func(at int) { binary.LittleEndian.PutUint16(data[at:], 0x2c00|uint16(b.r.Uint32()&0x3ff)) }
	for at := 0; at < len(data); at += int(size.bytes) {
		switch kind {
		case F32:
			binary.LittleEndian.PutUint32(data[at:], math.Float32bits(b.r.Float32()-0.5))
		case F64:
			binary.LittleEndian.PutUint64(data[at:], math.Float64bits(b.r.Float64()-0.5))
		case BF16:
			binary.LittleEndian.PutUint16(data[at:], uint16(math.Float32bits(b.r.Float32()-0.5)>>16))
		case F16, Q40, Q50, Q80:
			half(at)
		case Q41, Q51, Q4K, Q5K:
			half(at)
			half(at + 2)
		case Q2K:
			half(at + 80)
			half(at + 82)
		case Q3K:
			half(at + 108)
		case Q6K:
			half(at + 208)
		case MXFP4:
			data[at] = byte(120 + b.r.Uint32()%4)
		}
	}
	return keep(b, data)
}

func TestEmbedDecodesEveryType(t *testing.T) {
	against(t, func(t *testing.T, k, slow *Kernels) {
		for kind := F32; kind <= MXFP4; kind++ {
			b := newBench(t)
			const rows, cols = 5, 512
			data := b.stored(kind, rows, cols)
			ids := keep(b, []int32{4, 0, 2})
			got, want := b.values(3*cols), b.values(3*cols)
			a := EmbedArguments{
				Dst: TensorOf(got, 3, cols, cols), IDs: Pointer(ids), Scale: 1,
				Table: Weight{Data: Pointer(data), Out: rows, In: cols, Stride: cols, Type: int32(kind)},
			}
			do(b, k, Embed, &a, 3)
			a.Dst = TensorOf(want, 3, cols, cols)
			do(b, slow, Embed, &a, 3)
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("type %d: value %d: %g, want exactly %g", kind, i, got[i], want[i])
				}
			}
		}
	})
}

func (b *bench) multiply(k *Kernels, y, x []float32, m, inner int, w Weight, precision int32) {
	packed := k.Allocate(k.PackedBytes(int64(m), int64(inner), precision)/4 + 1)
	defer k.Release(packed)
	high := k.PanelRows(precision)
	b.pins.Pin(unsafe.SliceData(packed))
	a := ProductArguments{
		Dst: TensorOf(y, m, int(w.Out), int(w.Out)), X: TensorOf(x, m, inner, inner), W: w, Packed: Pointer(packed),
		RowsJob: 2 * high, RowsCut: high, PanelsJob: 2, Precision: precision,
	}
	do(b, k, Pack, &a, (int64(m)+high-1)/high)
	do(b, k, Multiply, &a, 2*((w.Out+Panel-1)/Panel)*((int64(m)+a.RowsJob-1)/a.RowsJob))
}

func TestProductOfEveryType(t *testing.T) {
	against(t, func(t *testing.T, k, slow *Kernels) {
		for kind := F32; kind <= MXFP4; kind++ {
			for _, precision := range []int32{AsF32, AsBF16, AsInt8} {
				if precision == AsInt8 && (kind < Q40 || kind > Q6K) {
					continue
				}
				b := newBench(t)
				const m, n, inner = 37, 70, 768
				data := b.stored(kind, n, inner)
				w := Weight{Data: Pointer(data), Out: n, In: inner, Stride: inner, Type: int32(kind)}
				x, got, want := b.values(m*inner), b.values(m*n), b.values(m*n)
				b.multiply(k, got, x, m, inner, w, precision)
				b.multiply(slow, want, x, m, inner, w, precision)
				// sums of 768 products in two orders: 2·√768·2⁻²⁴ of a typical sum, some tenfold for the sums that nearly vanish
				near(t, fmt.Sprintf("type %d, precision %d", kind, precision), got, want, 3e-5)
			}
		}
	})
}

// A product of few rows against plain Go, and against itself with other rows beside each.
func TestProductOfFewRows(t *testing.T) {
	against(t, func(t *testing.T, k, slow *Kernels) {
		for both := range 2 * (MXFP4 + 1) {
			kind, bf16 := both/2, both%2 == 1
			b := newBench(t)
			const m, n = 17, 43
			inner := 768
			if blockSize[kind].values == 1 {
				inner += 45
			}
			data := b.stored(kind, n+3, inner)
			segments := keep(b, []int64{20, 26, 2, 17})
			w := Weight{Data: Pointer(data), Out: n, In: int64(inner), Stride: int64(inner), Type: int32(kind), Segments: Pointer(segments), SegmentCount: 2}
			x, bias, got, want, part := b.values(m*inner), b.values(n), b.values(m*n), b.values(m*n), b.values(m*n)
			a := FewArguments{Dst: TensorOf(want, m, n, n), X: TensorOf(x, m, inner, inner), W: w, Bias: Pointer(bias), BF16: flag(bf16)}
			do(b, slow, MultiplyFew, &a, n)
			a.Dst = TensorOf(got, m, n, n)
			do(b, k, MultiplyFew, &a, n)
			// sums of 813 products in two orders, as TestProductOfEveryType has them
			near(t, fmt.Sprintf("type %d, bf16 %v", kind, bf16), got, want, 3e-5)
			for rows := 1; rows <= m; rows++ {
				a.X, a.Dst = TensorOf(x[(m-rows)*inner:], rows, inner, inner), TensorOf(part, rows, n, n)
				do(b, k, MultiplyFew, &a, n)
				for i := range rows * n {
					if part[i] != got[(m-rows)*n+i] {
						t.Fatalf("type %d, bf16 %v: %d rows: value %d: %g, want exactly %g", kind, bf16, rows, i, part[i], got[(m-rows)*n+i])
					}
				}
			}
		}
	})
}

// An attentionCase is one sequence of `own` rows behind a prefix of `before`.
type attentionCase struct {
	own, before, heads, kvHeads, dim, valueDim int64
	set                                        func(*AttentionArguments) // masks; nil: causal alone
	extras                                     bool                      // slopes and sinks
	bad                                        map[int64]float32         // values of key heads' first columns, by position
}

// attention computes a case in jobs of at most `block` query rows; 0: by the operation for few, a row a block. Rows that belong to no one are NaN.
func (b *bench) attention(k *Kernels, c attentionCase, bf16 bool, block int64) []float32 {
	b.r = rand.New(rand.NewPCG(3, 4)) // the same values each time
	const prefix = 2
	start := prefix + c.before + 3
	rows := int(start + c.own + 1)
	at := func(p int64) int64 { // the row of a position
		if p < c.before {
			return prefix + p
		}
		return start + p - c.before
	}
	tensor := func(cols int64) Tensor {
		t := TensorOf(b.values(rows*int(cols)), rows, int(cols), int(cols))
		for _, row := range []int64{0, 1, start - 3, start - 2, start - 1, int64(rows) - 1} {
			for i := range t.row(row) {
				t.row(row)[i] = float32(math.NaN())
			}
		}
		return t
	}
	a := AttentionArguments{
		Q: tensor(c.heads * c.dim), K: tensor(c.kvHeads * c.dim), V: tensor(c.kvHeads * c.valueDim), Dst: tensor(c.heads * c.valueDim),
		Heads: c.heads, KVHeads: c.kvHeads, HeadDim: c.dim, ValueDim: c.valueDim, Scale: 0.3, Causal: 1, BF16: flag(bf16),
	}
	if c.set != nil {
		c.set(&a)
	}
	slopes, sinks := b.values(int(c.heads)), b.values(int(c.heads))
	if c.extras {
		a.Slopes, a.Sinks = Pointer(slopes), Pointer(sinks)
	}
	for p, v := range c.bad {
		for h := range c.kvHeads {
			a.V.row(at(p))[h*c.valueDim] = v
		}
	}
	var jobs []int64
	operation, heads := Attend, c.kvHeads
	if block == 0 {
		operation, heads, block = AttendFew, c.heads, 1
	}
	for row := int64(0); row < c.own; row += block {
		jobs = append(jobs, start+row, min(block, c.own-row), c.before+row, start, c.own, prefix, c.before)
	}
	a.Jobs = Pointer(keep(b, jobs))
	do(b, k, operation, &a, int64(len(jobs)/7)*heads)
	var out []float32
	for p := c.before; p < c.before+c.own; p++ {
		out = append(out, a.Dst.row(at(p))...)
	}
	return out
}

func TestAttention(t *testing.T) {
	infinity, nan := float32(math.Inf(1)), float32(math.NaN())
	window := func(n int64) func(*AttentionArguments) { return func(a *AttentionArguments) { a.Window = n } }
	cases := []attentionCase{
		{own: 1, heads: 1, kvHeads: 1, dim: 1, valueDim: 1},
		{own: 2, heads: 2, kvHeads: 1, dim: 2, valueDim: 3},
		{own: 33, heads: 2, kvHeads: 1, dim: 7, valueDim: 5},
		{own: 90, heads: 4, kvHeads: 2, dim: 8, valueDim: 8},
		{own: 100, heads: 6, kvHeads: 2, dim: 80, valueDim: 80},
		{own: 60, before: 7, heads: 2, kvHeads: 2, dim: 33, valueDim: 9, set: func(a *AttentionArguments) { a.Causal = 0 }},
		{own: 100, before: 201, heads: 2, kvHeads: 1, dim: 96, valueDim: 20, set: func(a *AttentionArguments) { a.SoftCap = 2 }},
		{own: 150, before: 256, heads: 1, kvHeads: 1, dim: 20, valueDim: 96},
		{own: 20, before: 511, heads: 2, kvHeads: 1, dim: 16, valueDim: 33},
		{own: 400, heads: 1, kvHeads: 1, dim: 5, valueDim: 40, extras: true},
		{own: 280, before: 31, heads: 1, kvHeads: 1, dim: 8, valueDim: 8, set: window(1)},
		{own: 280, before: 31, heads: 1, kvHeads: 1, dim: 8, valueDim: 8, set: window(21), extras: true},
		{own: 280, before: 31, heads: 1, kvHeads: 1, dim: 8, valueDim: 8, set: func(a *AttentionArguments) { a.Chunk = 51 }},
		{own: 280, before: 30, heads: 1, kvHeads: 1, dim: 8, valueDim: 8, set: func(a *AttentionArguments) { a.Chunk, a.Causal = 50, 0 }},
		{own: 300, before: 5, heads: 2, kvHeads: 1, dim: 300, valueDim: 70, extras: true, set: func(a *AttentionArguments) {
			a.Chunk, a.Window, a.SoftCap = 100, 41, 3
		}},
		{own: 40, heads: 1, kvHeads: 1, dim: 700, valueDim: 8},
		{own: 100, heads: 2, kvHeads: 1, dim: 8, valueDim: 8, bad: map[int64]float32{50: nan}},
		{own: 340, before: 9, heads: 2, kvHeads: 2, dim: 8, valueDim: 45, set: window(30),
			bad: map[int64]float32{4: infinity, 51: -infinity, 60: infinity, 300: nan}},
		{own: 90, heads: 1, kvHeads: 1, dim: 8, valueDim: 8, bad: map[int64]float32{33: infinity, 70: math.MaxFloat32}},
	}
	against(t, func(t *testing.T, k, slow *Kernels) {
		for i, c := range cases {
			for _, bf16 := range []bool{false, true} {
				what, b := fmt.Sprintf("case %d, bf16 %v", i, bf16), newBench(t)
				got, want := b.attention(k, c, bf16, QueryRows), b.attention(slow, c, bf16, QueryRows)
				// Scores are below 10 here, so float32 errs by 1e-5 at most. With bf16 both sides multiply the same rounded queries, keys and
				// values, but round a weight against different maxima, the largest score and the largest of the tiles so far: each by 2⁻⁸ of
				// itself at most, so the two means of values within ±1 are 2⁻⁷ apart at most. Where one tile holds all keys the maxima are the
				// same, and only a weight that float32's error takes across a tie differs: one in 4000 by 2⁻⁸, here 2·10⁻⁶ on the average.
				// Operands that are not rounded make 10⁻⁴ and more.
				tolerance := 1e-5
				if bf16 {
					tolerance += 0x1p-7
				}
				for what, got := range map[string][]float32{what: got, what + ", few": b.attention(k, c, bf16, 0)} {
					squares := 0.0
					for i := range want {
						g, w := float64(got[i]), float64(want[i])
						switch {
						case g == w || g != g && w != w:
						case !(math.Abs(g-w) <= tolerance):
							t.Fatalf("%s: value %d: %g, plain Go finds %g", what, i, g, w)
						default:
							squares += (g - w) * (g - w)
						}
					}
					if r := math.Sqrt(squares / float64(len(want))); c.before+c.own <= 256 && r > 2e-5 {
						t.Fatalf("%s: %g from plain Go on the average", what, r)
					}
				}
				for _, block := range []int64{84, 5} {
					for i, v := range b.attention(k, c, bf16, block) {
						if v != got[i] && (v == v || got[i] == got[i]) {
							t.Fatalf("%s: value %d in jobs of %d rows: %g, want exactly %g", what, i, block, v, got[i])
						}
					}
				}
			}
		}
	})
}

func TestDeltaRule(t *testing.T) {
	against(t, func(t *testing.T, k, slow *Kernels) {
		b := newBench(t)
		const rows, heads, keys, values = 40, 4, 24, 17
		a := DeltaArguments{
			Q: TensorOf(b.values(rows*2*keys), rows, 2*keys, 2*keys), K: TensorOf(b.values(rows*2*keys), rows, 2*keys, 2*keys),
			V: TensorOf(b.values(rows*heads*values), rows, heads*values, heads*values), Gate: TensorOf(b.values(rows*heads), rows, heads, heads),
			Beta: TensorOf(b.values(rows*heads), rows, heads, heads), Sequences: Pointer(keep(b, []int64{0, 15, 0, 0, 15, 40, 0, 15})),
			Heads: heads, KeyHeads: 2, KeyDim: keys, ValueDim: values,
		}
		for i := range a.Gate.Rows { // a decay and a key of length one keep the state bounded
			for h, v := range a.Gate.row(i) {
				a.Gate.row(i)[h] = -float32(math.Abs(float64(v)))
			}
			for c := range a.K.row(i) {
				a.K.row(i)[c] /= 5
			}
		}
		got, want := b.values(rows*heads*values), b.values(rows*heads*values)
		a.Dst = TensorOf(got, rows, heads*values, heads*values)
		do(b, k, Delta, &a, 2*heads)
		a.Dst = TensorOf(want, rows, heads*values, heads*values)
		do(b, slow, Delta, &a, 2*heads)
		near(t, "delta rule", got, want, 2e-5)
	})
}

// TestSizes holds Go's structs against C's.
func TestSizes(t *testing.T) {
	b, _, err := openBackend()
	if err != nil {
		t.Fatal(err)
	}
	if err := check(b); err != nil {
		t.Error(err)
	}
}

func TestUnknownISA(t *testing.T) {
	t.Setenv("AVSSNATIVE_ISA", "sse9")
	if k, err := Open(); err == nil {
		t.Fatalf("opened %s for an instruction set that does not exist", k.ISA)
	} else {
		t.Log(err)
	}
}
