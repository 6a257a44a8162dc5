//go:build unix

package cpu_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"

	"avssnative/kernels/cpu"
)

// The benchmarks run one job after another on one thread and count processor time, so that a busy machine does not falsify them. "peak" is
// the share of what registers alone reach, measured in the same run. Names are key=value, as benchstat reads them.

// seconds is the processor time of this process.
func seconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)*1e-6
}

// peak is the best of some runs that never leave the registers, in operations a second.
func peak(k *cpu.Kernels, bf16 int32) float64 {
	best := 0.0
	for range 5 {
		a := cpu.PeakArguments{BF16: bf16}
		begin := seconds()
		k.Run(cpu.Peak, &a, 0, 100, nil)
		if took := seconds() - begin; took > 0 {
			best = max(best, 100*float64(a.Flops)/took)
		}
	}
	return best
}

// best runs f until the benchmark has enough and returns the processor time of the quickest turn: what others do on the machine, and on the
// same core's other thread, only ever adds to it.
func best(b *testing.B, f func()) float64 {
	least := 0.0
	for b.Loop() {
		begin := seconds()
		f()
		if took := seconds() - begin; least == 0 || took < least && took > 0 {
			least = took
		}
	}
	return least
}

// report turns the operations of a turn into GFLOP/s and a share of the peak.
func report(b *testing.B, took, flops, peak float64) {
	b.ReportMetric(flops/took/1e9, "GFLOP/s")
	b.ReportMetric(100*flops/took/peak, "%peak")
}

// allocate takes memory of the kernels, given back at the end.
func allocate(b testing.TB, k *cpu.Kernels, n int64) []float32 {
	m := k.Allocate(n)
	if m == nil {
		b.Fatalf("no memory for %d values", n)
	}
	b.Cleanup(func() { k.Release(m) })
	return m
}

func random(b testing.TB, k *cpu.Kernels, n int) []float32 {
	r, values := rand.New(rand.NewPCG(1, 2)), allocate(b, k, int64(n))
	for i := range values {
		values[i] = r.Float32()*2 - 1
	}
	return values
}

func everyISA(b *testing.B, bench func(b *testing.B, k *cpu.Kernels)) {
	found, err := cpu.Available()
	if err != nil {
		b.Fatal(err)
	}
	for _, isa := range found {
		b.Run("isa="+isa.String(), func(b *testing.B) {
			k, err := cpu.OpenISA(isa)
			if err != nil {
				b.Fatal(err)
			}
			bench(b, k)
		})
	}
}

func BenchmarkProduct(b *testing.B) {
	everyISA(b, func(b *testing.B, k *cpu.Kernels) {
		for _, c := range []struct {
			compute   string
			precision int32
			weights   cpu.Type
		}{
			{"f32", cpu.AsF32, cpu.F32}, {"f32", cpu.AsF32, cpu.BF16}, {"bf16", cpu.AsBF16, cpu.BF16},
			{"f32", cpu.AsF32, cpu.Q41}, {"int8", cpu.AsInt8, cpu.Q41}, {"int8", cpu.AsInt8, cpu.Q80}, {"int8", cpu.AsInt8, cpu.Q6K},
		} {
			top := peak(k, c.precision&cpu.AsBF16)
			for _, s := range [][3]int{{512, 768, 768}, {512, 2048, 2048}, {2048, 2048, 2048}, {2048, 4096, 4096}} {
				m, n, inner := s[0], s[1], s[2]
				b.Run(fmt.Sprintf("compute=%s/weights=%d/m=%d/n=%d/k=%d", c.compute, c.weights, m, n, inner), func(b *testing.B) {
					product(b, k, m, n, inner, c.precision, c.weights, top)
				})
			}
		}
	})
}

func product(b *testing.B, k *cpu.Kernels, m, n, inner int, precision int32, weights cpu.Type, top float64) {
	x, w, y := random(b, k, m*inner), random(b, k, n*inner), allocate(b, k, int64(m*n))
	packed := allocate(b, k, k.PackedBytes(int64(m), int64(inner), precision)/4+1)
	a := cpu.ProductArguments{
		Dst: cpu.TensorOf(y, m, n, n), X: cpu.TensorOf(x, m, inner, inner), Packed: cpu.Pointer(packed), Precision: precision, PanelsJob: 4,
		W: cpu.Weight{Data: cpu.Pointer(w), Out: int64(n), In: int64(inner), Stride: int64(inner), Type: int32(weights)},
	}
	high := k.PanelRows(precision)
	if weights >= cpu.BF16 { // any words will do, but not NaN
		words := unsafe.Slice((*uint16)(cpu.Pointer(w)), 2*len(w))
		for i := range words {
			words[i] = 0x3f00 | uint16(i&0x7f)
		}
	}
	most := int64(1008)
	if high == 32 { // AMX
		most /= 2
	}
	a.RowsJob = min(most/high*high, (int64(m)+high-1)/high*high)
	a.RowsCut = a.RowsJob
	jobs := int64(n) / 32 * ((int64(m) + a.RowsJob - 1) / a.RowsJob)
	scratch := allocate(b, k, k.Scratch(cpu.Multiply, &a)/4+1)
	took := best(b, func() {
		k.Run(cpu.Pack, &a, 0, (int64(m)+high-1)/high, nil)
		k.Run(cpu.Multiply, &a, 0, jobs, cpu.Pointer(scratch))
	})
	report(b, took, 2*float64(m)*float64(n)*float64(inner), top)
}

// BenchmarkAttention is one layer of a 7B model: 32 heads of 128. "layer" is the time it takes beside the layer's products at the peak.
func BenchmarkAttention(b *testing.B) {
	everyISA(b, func(b *testing.B, k *cpu.Kernels) {
		for bf16, compute := range []string{"f32", "bf16"} {
			top := peak(k, int32(bf16))
			for _, tokens := range []int{512, 2048} {
				b.Run(fmt.Sprintf("compute=%s/tokens=%d/heads=32/dim=128", compute, tokens), func(b *testing.B) {
					attention(b, k, tokens, int32(bf16), top)
				})
			}
		}
	})
}

func attention(b *testing.B, k *cpu.Kernels, tokens int, bf16 int32, top float64) {
	const heads, dim = 32, 128
	q, y := random(b, k, tokens*heads*dim), allocate(b, k, int64(tokens*heads*dim))
	t := cpu.TensorOf(q, tokens, heads*dim, heads*dim)
	jobs := allocate(b, k, 14*int64(tokens))
	list := unsafe.Slice((*int64)(cpu.Pointer(jobs)), 7*tokens)
	blocks := 0
	for row := 0; row < tokens; row += cpu.QueryRows {
		copy(list[7*blocks:], []int64{int64(row), int64(min(cpu.QueryRows, tokens-row)), int64(row), 0, int64(tokens), 0, 0})
		blocks++
	}
	a := cpu.AttentionArguments{
		Dst: cpu.TensorOf(y, tokens, heads*dim, heads*dim), Q: t, K: t, V: t, Jobs: cpu.Pointer(list), Heads: heads, KVHeads: heads,
		HeadDim: dim, ValueDim: dim, Scale: 0.088, Causal: 1, BF16: bf16,
	}
	scratch := allocate(b, k, k.Scratch(cpu.Attend, &a)/4+1)
	took := best(b, func() { k.Run(cpu.Attend, &a, 0, int64(blocks)*heads, cpu.Pointer(scratch)) })
	report(b, took, 2*float64(tokens)*float64(tokens)*heads*dim, top)
	b.ReportMetric(took*top/(2*float64(tokens)*(4*4096*4096+3*4096*11008))*100, "%layer")
}

// BenchmarkMeasure is every site of a block 768 wide; the share is that of the block's products at the peak.
func BenchmarkMeasure(b *testing.B) {
	everyISA(b, func(b *testing.B, k *cpu.Kernels) {
		top := peak(k, 0)
		for _, rows := range []int{16, 512} { // from the second cache, and from beyond it
			b.Run(fmt.Sprintf("rows=%d/hidden=768/inner=2048", rows), func(b *testing.B) { measure(b, k, rows, top) })
		}
	})
}

func measure(b *testing.B, k *cpu.Kernels, rows int, top float64) {
	const hidden, inner = 768, 2048
	x, y, attn, mlp := random(b, k, rows*hidden), random(b, k, rows*hidden), random(b, k, rows*hidden), random(b, k, rows*hidden)
	act := random(b, k, rows*inner)
	for i := range x {
		y[i] = x[i] + 0.1*attn[len(attn)-1-i]
	}
	blocks := unsafe.Slice((*int64)(cpu.Pointer(allocate(b, k, 4))), 2)
	blocks[1] = int64(rows)
	out := allocate(b, k, int64(unsafe.Sizeof(cpu.RowSums{})))
	a := cpu.MeasureArguments{
		X: cpu.TensorOf(x, rows, hidden, hidden), Y: cpu.TensorOf(y, rows, hidden, hidden), Attn: cpu.TensorOf(attn, rows, hidden, hidden),
		MLP: cpu.TensorOf(mlp, rows, hidden, hidden), Act: cpu.TensorOf(act, rows, inner, inner), Blocks: cpu.Pointer(blocks), Out: cpu.Pointer(out),
		Eps: [cpu.MaxEps]float32{1e-5, 1e-4, 1e-3, 1e-2, 1e-1}, EpsCount: 5, Near: 1e-2,
	}
	turns := 2048 / rows
	took := best(b, func() {
		for range turns {
			k.Run(cpu.Measure, &a, 0, 1, nil)
		}
	}) / float64(turns)
	values := float64(rows * (4*hidden + inner))
	b.ReportMetric(took/values*1e9, "ns/value")
	b.ReportMetric(100*took/(2*float64(rows)*(4*hidden*hidden+3*hidden*inner)/top), "%products")
}
