package cuda

import (
	"os"
	"testing"

	"avssnative/engine"
	"avssnative/internal/devicetest"
	"avssnative/internal/need"
)

// BenchmarkDevice times the large cases of the conformance table on a GPU. The PTX machine knows no time: there it skips.
func BenchmarkDevice(b *testing.B) {
	if os.Getenv("AVSSNATIVE_LIBCUDA") != "" {
		need.Missing(b, "a GPU: AVSSNATIVE_LIBCUDA poses as one, a real one")
	}
	for _, compute := range []engine.Compute{engine.ComputeF32, engine.ComputeBF16} {
		b.Run("compute="+string(compute), func(b *testing.B) {
			devicetest.Bench(b, func(t testing.TB) engine.Device { return open(t, compute) })
		})
	}
}
