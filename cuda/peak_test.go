package cuda

import (
	"os"
	"testing"

	"avssnative/engine/device"
)

// Attributes of cuDeviceGetAttribute that only the peaks need.
const (
	attributeClock       = 13 // kHz
	attributeMemoryClock = 36 // kHz; two transfers a cycle
	attributeBusWidth    = 37 // bits
)

// peaks is what a GPU could do by its clocks and units, a second.
type peaks struct{ tensor, float, memory float64 }

// most is the peak of operations in a precision.
func (p peaks) most(c device.Compute) float64 {
	if c == device.ComputeF32 {
		return p.float
	}
	return p.tensor
}

// each is what one multiprocessor does a cycle: operations in float32, two a fused multiply-add, from the CUDA C++ Programming Guide's table of
// arithmetic throughput, and dense bfloat16 operations with float32 sums on its tensor cores, from NVIDIA's papers on A100 (312 TFLOP/s of 108
// multiprocessors at 1.41 GHz), H100 (989 of 132 at 1.83), B200 (2,250), and of the workstation cards otherwise (GeForce cards do half of that).
var each = map[[2]int]struct{ float, tensor float64 }{
	{8, 0}: {128, 2048}, {8, 6}: {256, 1024}, {8, 9}: {256, 1024}, {9, 0}: {256, 4096}, {10, 0}: {256, 8192}, {12, 0}: {256, 1024},
}

// peaksOf computes the peaks of a device; those of operations are 0 where its compute capability is not in the table.
func peaksOf(t testing.TB, d *gpu) peaks {
	t.Helper()
	l, err := openLibrary()
	if err != nil {
		t.Fatal(err)
	}
	var read [3]float64
	for i, attribute := range []int{attributeClock, attributeMemoryClock, attributeBusWidth} {
		v, err := l.attribute(d.index, attribute)
		if err != nil {
			t.Fatal(err)
		}
		read[i] = float64(v)
	}
	unit := each[[2]int{d.card.major, d.card.minor}]
	cycles := float64(d.card.processors) * read[0] * 1e3
	return peaks{tensor: cycles * unit.tensor, float: cycles * unit.float, memory: 2 * read[1] * 1e3 * read[2] / 8}
}

// driverSymbol finds a function of the driver library that the device does without.
func driverSymbol(t testing.TB, name string) (address uintptr, found bool) {
	t.Helper()
	library := os.Getenv("AVSSNATIVE_LIBCUDA")
	if library == "" {
		library = libraryName
	}
	handle, err := loadLibrary(library)
	if err != nil {
		t.Fatal(err)
	}
	address, err = lookUp(handle, name)
	return address, err == nil
}

// TestPeaks: an A100's attributes, which are the PTX machine's, give an A100's peaks.
func TestPeaks(t *testing.T) {
	openMachine(t)
	d := open(t, device.ComputeF32)
	if d.card.major != 8 || d.card.minor != 0 {
		t.Skipf("skipped: the PTX machine poses as sm_%d%d", d.card.major, d.card.minor)
	}
	p := peaksOf(t, d)
	for _, c := range []struct{ got, want float64 }{{p.tensor, 312e12}, {p.float, 19.5e12}, {p.memory, 2.039e12}} {
		if off := c.got/c.want - 1; off < -0.01 || off > 0.01 {
			t.Errorf("a peak of %.4g a second, an A100's data sheet has %.4g", c.got, c.want)
		}
	}
}
