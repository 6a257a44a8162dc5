package cpu_test

import (
	"testing"

	"avssnative/engine/device"
	"avssnative/internal/devicetest"
)

// Device "cpu" against "reference", in both precisions of its products.

func openCPU(t testing.TB, o device.Options) device.Device {
	t.Helper()
	d, err := device.Open("cpu", o)
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
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16, device.ComputeInt8} {
		t.Run(string(compute), func(t *testing.T) {
			devicetest.Run(t, func(t testing.TB) device.Device { return openCPU(t, device.Options{Compute: compute}) })
		})
	}
}

func TestCPUThreads(t *testing.T) {
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16, device.ComputeInt8} {
		t.Run(string(compute), func(t *testing.T) {
			devicetest.Threads(t, func(t testing.TB, threads int) device.Device {
				return openCPU(t, device.Options{Compute: compute, Threads: threads})
			})
		})
	}
}

func BenchmarkCPU(b *testing.B) {
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16, device.ComputeInt8} {
		b.Run("compute="+string(compute), func(b *testing.B) {
			devicetest.Bench(b, func(t testing.TB) device.Device { return openCPU(t, device.Options{Compute: compute}) })
		})
	}
}
