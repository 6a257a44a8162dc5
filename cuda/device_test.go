package cuda

import (
	"os"
	"testing"

	"avssnative/engine"
	"avssnative/internal/devicetest"
	"avssnative/internal/need"
)

// open opens the first GPU, real or the one that AVSSNATIVE_LIBCUDA poses as; without either the test skips.
func open(t testing.TB, compute engine.Compute) *device {
	t.Helper()
	if _, _, err := cards(); err != nil {
		if os.Getenv("AVSSNATIVE_LIBCUDA") != "" {
			t.Fatal(err)
		}
		need.Missing(t, "a GPU, or AVSSNATIVE_LIBCUDA naming the PTX machine,")
	}
	d, err := engine.OpenDevice("cuda:0", engine.DeviceOptions{Compute: compute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d.(*device)
}

// TestConformance holds every operation against "reference", in both precisions.
func TestConformance(t *testing.T) {
	for _, compute := range []engine.Compute{engine.ComputeF32, engine.ComputeBF16} {
		t.Run(string(compute), func(t *testing.T) {
			devicetest.Run(t, func(t testing.TB) engine.Device { return open(t, compute) })
		})
	}
}
