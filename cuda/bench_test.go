package cuda

import (
	"fmt"
	"math"
	"testing"

	"avssnative/bench/peers/yardstick"
	"avssnative/engine"
	"avssnative/engine/device"
	"avssnative/internal/devicetest"
)

// What the kernels reach on a GPU: TFLOP/s or GB/s, and the share of what the GPU's clocks and units allow ("%peak", peak_test.go) and, of
// bytes, of what the driver's own copy reaches ("%copy"). Sizes are those of a layer of seven billion parameters; with -short small ones, to
// try the benchmarks themselves. The PTX machine knows no time: there, and without a GPU, everything skips and says so.
//
//	go test -run '^$' -bench . -count 6 ./cuda | tee new.txt && go tool benchstat new.txt

// onGPU skips a benchmark where there is no GPU.
func onGPU(b *testing.B) {
	b.Helper()
	if _, _, err := cards(); err != nil {
		b.Skipf("skipped: a benchmark needs a GPU: %v", err)
	}
	if _, machine := driverSymbol(b, "ptxmachineVersion"); machine {
		b.Skip("skipped: a benchmark needs a GPU: the driver library is the PTX machine, which knows no time")
	}
}

// BenchmarkDevice times the large cases of the conformance table, one call and the wait for it.
func BenchmarkDevice(b *testing.B) {
	onGPU(b)
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		b.Run("compute="+string(compute), func(b *testing.B) {
			devicetest.Bench(b, func(t testing.TB) device.Device { return open(t, compute) })
		})
	}
}

// sizes are how large the operations are: a square product's edge, rows and columns of the stream, tokens of a sequence and heads of 128.
type sizes struct{ edge, rows, cols, tokens, heads int }

var (
	largeSizes = sizes{4096, 8192, 4096, 2048, 32}
	smallSizes = sizes{96, 5, 200, 70, 2}
)

func benchedSizes() sizes {
	if testing.Short() {
		return smallSizes
	}
	return largeSizes
}

// work is what a benchmark repeats, and the least that it must compute or, where flops is 0, move.
type work struct {
	name         string
	flops, bytes float64
	queue        func()
}

// works prepares the operations on a device.
func works(t testing.TB, d *gpu, s sizes) []work {
	t.Helper()
	m, err := d.Matrix(weight(s.edge, s.edge))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	x, y := filled(d, s.edge, s.edge), d.NewTensor(s.edge, s.edge)
	n := s.heads * 128
	q, k, v, mixed := filled(d, s.tokens, n), filled(d, s.tokens, n), filled(d, s.tokens, n), d.NewTensor(s.tokens, n)
	a, f, normal, factors := filled(d, s.rows, s.cols), filled(d, s.rows, s.cols), d.NewTensor(s.rows, s.cols), filled(d, 1, s.cols)
	measure := &device.Measure{X: a, Y: f, Layout: &device.Layout{Start: []int32{0, int32(s.rows)}},
		Eps: device.DefaultEps, Relative: device.DefaultRelative}
	layout := &device.Layout{Start: []int32{0, int32(s.tokens)}}
	values, tokens := float64(s.rows)*float64(s.cols), float64(s.tokens)
	normed := 8.0 // bytes a value: read, written
	if d.compute == device.ComputeBF16 {
		normed += 2 // and its copy for the next product
	}
	return []work{
		{fmt.Sprintf("product/n=%d", s.edge), 2 * math.Pow(float64(s.edge), 3), 0, func() { d.Product(y, x, m, nil) }},
		{fmt.Sprintf("attention/tokens=%d", s.tokens), 2 * tokens * tokens * float64(n), 0, func() {
			d.Attention(mixed, q, k, v, device.Attention{Heads: s.heads, KVHeads: s.heads, HeadDim: 128, ValueDim: 128, Scale: 0.1, Causal: true}, layout)
		}},
		{fmt.Sprintf("scale/rows=%d", s.rows), 0, 8 * values, func() { d.Scale(a, 1, nil) }},
		{fmt.Sprintf("normalise/rows=%d", s.rows), 0, normed * values, func() {
			d.Norm(normal, f, device.Norm{Kind: device.NormRMS, Eps: 1e-5, Weight: factors})
		}},
		{fmt.Sprintf("measure/rows=%d", s.rows), 0, 8 * values, func() { d.Measure(measure) }},
	}
}

// together is how many operations are queued before anyone waits.
const together = 8

// repeat times a batch of work after one that does not count; it returns the seconds of one.
func repeat(b *testing.B, d *gpu, queue func()) float64 {
	b.Helper()
	batch := func() {
		for range together {
			queue()
		}
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	batch()
	for b.Loop() {
		batch()
	}
	return b.Elapsed().Seconds() / float64(b.N*together)
}

// copying gives the driver's own copy between two blocks of the device, and the bytes it moves, reads and writes.
func copying(t testing.TB, d *gpu, bytes int64) (queue func() error, moved float64) {
	t.Helper()
	address, found := driverSymbol(t, "cuMemcpyDtoDAsync_v2")
	if !found {
		t.Fatal("the driver has no cuMemcpyDtoDAsync")
	}
	l, err := openLibrary()
	if err != nil {
		t.Fatal(err)
	}
	from, to := d.NewTensor(1, int(bytes/4)), d.NewTensor(1, int(bytes/4))
	d.Upload(from, 0, make([]float32, bytes/4))
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	return func() error {
		return d.bound(func() error {
			return l.check("cuMemcpyDtoDAsync", call(address, uintptr(to.(*tensor).at()), uintptr(from.(*tensor).at()), uintptr(bytes), uintptr(d.computing)))
		})
	}, 2 * float64(bytes)
}

// BenchmarkKernels is the products, attention and row kernels at a layer's sizes.
func BenchmarkKernels(b *testing.B) {
	onGPU(b)
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		d := open(b, compute)
		peak, copied := peaksOf(b, d), 0.0
		b.Run("compute="+string(compute)+"/copy", func(b *testing.B) {
			queue, moved := copying(b, d, 256<<20)
			seconds := repeat(b, d, func() {
				if err := queue(); err != nil {
					b.Fatal(err)
				}
			})
			copied = moved / seconds
			b.ReportMetric(copied/1e9, "GB/s")
			b.ReportMetric(100*copied/peak.memory, "%peak")
		})
		for _, w := range works(b, d, benchedSizes()) {
			b.Run("compute="+string(compute)+"/"+w.name, func(b *testing.B) {
				seconds := repeat(b, d, w.queue)
				if w.flops == 0 {
					b.ReportMetric(w.bytes/seconds/1e9, "GB/s")
					b.ReportMetric(100*w.bytes/seconds/peak.memory, "%peak")
					if copied > 0 {
						b.ReportMetric(100*w.bytes/seconds/copied, "%copy")
					}
					return
				}
				b.ReportMetric(w.flops/seconds/1e12, "TFLOP/s")
				if most := peak.most(compute); most > 0 {
					b.ReportMetric(100*w.flops/seconds/most, "%peak")
				}
			})
		}
	}
}

// BenchmarkCublas times the bfloat16 product beside cuBLAS's on the same memory, which first has to give the same values.
func BenchmarkCublas(b *testing.B) {
	onGPU(b)
	d := open(b, device.ComputeBF16)
	var theirs *cublas
	if err := d.bound(func() (err error) { theirs, err = openCublas(d.computing); return err }); err != nil {
		b.Skipf("skipped: %v", err)
	}
	defer theirs.close()
	n := benchedSizes().edge
	made, err := d.Matrix(weight(n, n))
	if err != nil {
		b.Fatal(err)
	}
	defer made.Release()
	m := made.(*matrix)
	x, y := filled(d, n, n).(*tensor), d.NewTensor(n, n).(*tensor)
	ours := func() { d.Product(y, x, m, nil) }
	ours()
	want, got := make([]float32, n*n), make([]float32, n*n)
	d.Download(want, y, 0)
	var c *narrowed
	if err := d.bound(func() (err error) { c, err = d.narrow(x, 1); return err }); err != nil {
		b.Fatal(err)
	}
	call := func() {
		if err := d.bound(func() error {
			return theirs.product(uint64(y.at()), y.stride, uint64(c.block.at), c.pitch, uint64(m.at(0)), m.pitch, n, n, n)
		}); err != nil {
			b.Fatal(err)
		}
	}
	d.Upload(y, 0, make([]float32, n*n))
	call()
	d.Download(got, y, 0)
	if err := d.Sync(); err != nil {
		b.Fatal(err)
	}
	for i, off := range got { // float32 sums of n products in another order; the root mean square of a sum of n is √n of a product's
		if math.Abs(float64(off-want[i])) > 1e-3*(math.Sqrt(float64(n))+math.Abs(float64(want[i]))) {
			b.Fatalf("value %d is %g, cuBLAS gives %g", i, want[i], off)
		}
	}
	peak, flops, seconds := peaksOf(b, d).tensor, 2*math.Pow(float64(n), 3), map[string]float64{}
	for _, side := range []struct {
		name  string
		queue func()
	}{{"cublas", call}, {"ours", ours}} {
		b.Run(fmt.Sprintf("by=%s/n=%d", side.name, n), func(b *testing.B) {
			seconds[side.name] = repeat(b, d, side.queue)
			b.ReportMetric(flops/seconds[side.name]/1e12, "TFLOP/s")
			if peak > 0 {
				b.ReportMetric(100*flops/seconds[side.name]/peak, "%peak")
			}
			if other := seconds["cublas"]; side.name == "ours" && other > 0 {
				b.ReportMetric(100*other/seconds["ours"], "%cublas")
			}
		})
	}
}

// BenchmarkRows is a weight of 4096 × 4096 with 1 to 2048 rows: where the shapes of the product take over from each other.
func BenchmarkRows(b *testing.B) {
	onGPU(b)
	d := open(b, device.ComputeBF16)
	n := benchedSizes().edge
	m, err := d.Matrix(weight(n, n))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Release()
	peak := peaksOf(b, d)
	for rows := 1; rows <= 2048; rows *= 2 {
		x, y := filled(d, rows, n), d.NewTensor(rows, n)
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			seconds := repeat(b, d, func() { d.Product(y, x, m, nil) })
			flops, bytes := 2*float64(rows)*float64(n)*float64(n), float64(2*n*n+(2+4)*rows*n)
			b.ReportMetric(flops/seconds/1e12, "TFLOP/s")
			b.ReportMetric(bytes/seconds/1e9, "GB/s")
			if peak.tensor > 0 && peak.memory > 0 { // of what the roofline allows
				b.ReportMetric(100*max(flops/peak.tensor, bytes/peak.memory)/seconds, "%roofline")
			}
		})
		x.Free()
		y.Free()
	}
}

// BenchmarkTokens is a random Llama of 12 layers × 768 through the whole engine, every token scored.
func BenchmarkTokens(b *testing.B) {
	onGPU(b)
	shape, count, tokens := yardstick.Shapes["small"], 8, 1024
	if testing.Short() {
		shape, count, tokens = yardstick.Shapes["quick"], 2, 64
	}
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		b.Run(fmt.Sprintf("compute=%s/tokens=%d", compute, count*tokens), func(b *testing.B) {
			run, flops := passOf(b, shape, compute, count, tokens)
			peak := peaksOf(b, open(b, compute)).most(compute)
			run()
			for b.Loop() {
				run()
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(count*tokens)/seconds, "tokens/s")
			b.ReportMetric(flops/seconds/1e12, "TFLOP/s")
			if peak > 0 {
				b.ReportMetric(100*flops/seconds/peak, "%peak")
			}
		})
	}
}

// passOf writes a random model and prepares one pass over it on the GPU, every token scored.
func passOf(t testing.TB, shape yardstick.Shape, compute device.Compute, count, tokens int) (run func() *engine.Outcome, flops float64) {
	t.Helper()
	folder, stored := t.TempDir(), "F32"
	if compute == device.ComputeBF16 {
		stored = "BF16"
	}
	if err := shape.Write(t.Context(), folder, stored); err != nil {
		t.Fatal(err)
	}
	m, err := engine.Open(t.Context(), folder, engine.Options{Device: "cuda:0", Options: device.Options{Compute: compute}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	var p engine.Pass
	for _, ids := range shape.IDs(count, tokens) {
		p.Sequences = append(p.Sequences, engine.Sequence{IDs: ids, ScoreFrom: 1, ScoreTo: tokens})
	}
	return func() *engine.Outcome {
		o, err := m.Run(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}, float64(count) * shape.Flops(tokens, shape.Layers, tokens-1)
}

// TestBenchmarked runs once, and small, what the benchmarks repeat, so that they work when a GPU is there.
func TestBenchmarked(t *testing.T) {
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		d := open(t, compute)
		silent(t)
		for _, w := range works(t, d, smallSizes) {
			before := d.launches
			w.queue()
			if err := d.Sync(); err != nil {
				t.Errorf("%s, %s: %v", compute, w.name, err)
			}
			if d.launches == before || w.flops+w.bytes <= 0 {
				t.Errorf("%s, %s: %d launches for %g operations and %g bytes", compute, w.name, d.launches-before, w.flops, w.bytes)
			}
		}
		queue, moved := copying(t, d, 1<<10)
		if err := queue(); err != nil || moved != 2<<10 {
			t.Errorf("%s: copy: %v, %g bytes moved", compute, err, moved)
		}
		run, flops := passOf(t, yardstick.Shapes["quick"], compute, 1, 9)
		if score := run().Scores[0][0]; score.Tokens != 8 || !(score.LogLikelihood < 0) {
			t.Errorf("%s: %+v, want 8 tokens and a log-probability below 0", compute, score)
		}
		if flops <= 0 {
			t.Errorf("%s: a pass of %g operations", compute, flops)
		}
	}
}
