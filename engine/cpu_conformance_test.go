package engine_test

import (
	"testing"

	"avssnative/engine"
	"avssnative/internal/devicetest"
)

// Device "cpu" against "reference", in both precisions of its products.

func openCPU(t testing.TB, o engine.DeviceOptions) engine.Device {
	t.Helper()
	d, err := engine.OpenDevice("cpu", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestCPU(t *testing.T) {
	for _, compute := range []engine.Compute{engine.ComputeF32, engine.ComputeBF16} {
		t.Run(string(compute), func(t *testing.T) {
			devicetest.Run(t, func(t testing.TB) engine.Device { return openCPU(t, engine.DeviceOptions{Compute: compute}) })
		})
	}
}

func TestCPUThreads(t *testing.T) {
	for _, compute := range []engine.Compute{engine.ComputeF32, engine.ComputeBF16} {
		t.Run(string(compute), func(t *testing.T) {
			devicetest.Threads(t, func(t testing.TB, threads int) engine.Device {
				return openCPU(t, engine.DeviceOptions{Compute: compute, Threads: threads})
			})
		})
	}
}

func BenchmarkCPU(b *testing.B) {
	for _, compute := range []engine.Compute{engine.ComputeF32, engine.ComputeBF16} {
		b.Run("compute="+string(compute), func(b *testing.B) {
			devicetest.Bench(b, func(t testing.TB) engine.Device { return openCPU(t, engine.DeviceOptions{Compute: compute}) })
		})
	}
}
