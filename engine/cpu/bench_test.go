//go:build unix

package cpu_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"avssnative/engine/device"

	"golang.org/x/sys/unix"
)

// BenchmarkCPUTiny is what an operation of a tiny model costs: at hidden 64, arithmetic takes a microsecond, so what surrounds it shows.
func BenchmarkCPUTiny(b *testing.B) {
	d := openCPU(b, device.Options{})
	const hidden = 64
	for _, rows := range []int{1, 32} {
		x, y := d.NewTensor(rows, hidden), d.NewTensor(rows, hidden)
		w, err := d.Matrix(device.Weight{Type: device.F32, Data: make([]byte, 4*hidden*hidden), Out: hidden, In: hidden, Stride: hidden})
		if err != nil {
			b.Fatal(err)
		}
		for name, operation := range map[string]func(){
			"add":     func() { d.Add(y, x, x, 1) },
			"norm":    func() { d.Norm(y, x, device.Norm{Kind: device.NormRMS, Eps: 1e-5}) },
			"product": func() { d.Product(y, x, w, nil) },
		} {
			b.Run(fmt.Sprintf("operation=%s/rows=%d", name, rows), func(b *testing.B) {
				for b.Loop() {
					operation()
				}
			})
		}
		w.Release()
	}
}

// BenchmarkCPULlama7B is the products of one layer of Llama 7B on 2,048 rows, in memory: what scoring a model of that shape from a disk is held
// against. GFLOP a second of processor time is that of one thread, whatever else the machine does.
func BenchmarkCPULlama7B(b *testing.B) {
	d := openCPU(b, device.Options{})
	const rows, hidden, mlp = 2048, 4096, 11008
	random := rand.New(rand.NewPCG(7, 7))
	tensor := func(cols int) device.Tensor { return d.NewTensor(rows, cols) }
	weight := func(out, in int) device.Matrix {
		data := make([]byte, 2*out*in)
		for i := 0; i < len(data); i += 2 {
			data[i], data[i+1] = byte(random.Uint32()), byte(0x3b+random.Uint32()%2*0x80)
		}
		w, err := d.Matrix(device.Weight{Type: device.BF16, Data: data, Out: out, In: in, Stride: in})
		if err != nil {
			b.Fatal(err)
		}
		return w
	}
	square, up, down := weight(hidden, hidden), weight(mlp, hidden), weight(hidden, mlp)
	x, y, wide := tensor(hidden), tensor(hidden), tensor(mlp)
	values := make([]float32, rows*hidden)
	for i := range values {
		values[i] = random.Float32() - 0.5
	}
	d.Upload(x, 0, values)
	before := processorTime(b)
	for b.Loop() {
		for range 4 {
			d.Product(y, x, square, nil)
		}
		for range 2 {
			d.Product(wide, x, up, nil)
		}
		d.Product(y, wide, down, nil)
		if err := d.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	flops := 2 * rows * (4*hidden*hidden + 3*hidden*mlp) * float64(b.N)
	b.ReportMetric(flops/1e9/b.Elapsed().Seconds(), "GFLOP/s")
	b.ReportMetric(flops/1e9/(processorTime(b)-before), "GFLOP/cpu-s")
}

// processorTime is the seconds that the process has computed.
func processorTime(b *testing.B) float64 {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
