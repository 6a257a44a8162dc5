// Package devicetest holds every device against "reference". One table has cases for each operation of device.Device; Run checks a device
// on all of them and on what it promises besides, Bench times the large ones, Threads compares the bits of one device opened with different
// numbers of threads.
//
// A case computes units: rows, or sequences with those that continue them. What a unit holds depends on its number alone, so that the
// same units can be computed in any grouping and order. From that follow the checks, each made for every case:
//   - the values are those of "reference", within a tolerance derived in tolerance.go from precision and length;
//   - the same bits come from tensors that are views, inside larger ones full of NaN, which stay as they are;
//   - the same bits come from the units backwards, in parts, and from one alone;
//   - the same bits come from sequences joined to their prefix;
//   - the same bits come in place, where that is allowed;
//   - nothing happens for no unit.
//
// That the net has no hole is tested with broken devices: see fault_test.go.
package devicetest

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"avssnative/engine/device"
	_ "avssnative/engine/reference" // what devices are held against
	_ "avssnative/engine/weights"   // decodes the types of GGUF files
)

// A testCase is one call of one operation with all its parameters.
type testCase struct {
	operation string
	name      string // key=value, joined by slashes, as benchstat reads them
	units     int
	// prepare makes the tensors for some units, in their order.
	prepare func(r *rig, units []int) step
	// tolerance is how far value j of a unit may lie from the wanted one.
	tolerance func(p precision, unit, j int, want float64) float64

	inPlace  bool // dst may be the first input
	prefixes bool // has sequences with a prefix that may be joined to it
	large    bool // for timing: of the checks only the first, on a few units, and the last unit alone
	flops    float64
	bytes    float64 // read and written at least
}

// A step is an operation ready to go.
type step struct {
	call func()
	read func() [][]float64 // after call: the values of each unit
}

// Run checks a device on every case of the table.
func Run(t *testing.T, open func(testing.TB) device.Device) {
	device := open(t)
	promises(t, device)
	for _, c := range chosen() {
		t.Run(c.operation+"/"+c.name, func(t *testing.T) {
			for _, failure := range check(device, openReference(t, device.Info().Compute), c) {
				t.Error(failure)
			}
		})
	}
}

// Threads checks that a device gives the same bits with 1, 2, 3 and 7 threads.
func Threads(t *testing.T, open func(t testing.TB, threads int) device.Device) {
	one := open(t, 1)
	others := map[int]device.Device{2: open(t, 2), 3: open(t, 3), 7: open(t, 7)}
	for _, c := range chosen() {
		t.Run(c.operation+"/"+c.name, func(t *testing.T) {
			for _, failure := range compareThreads(one, others, c) {
				t.Error(failure)
			}
		})
	}
}

// chosen is the table, in a short run without the large cases, which take most of the time.
func chosen() []testCase {
	cases := table()
	if testing.Short() {
		cases = slices.DeleteFunc(slices.Clone(cases), func(c testCase) bool { return c.large })
	}
	return cases
}

func compareThreads(one device.Device, others map[int]device.Device, c testCase) []string {
	want, failures := (&rig{device: one}).compute(c, c.all())
	for threads, device := range others {
		got, found := (&rig{device: device}).compute(c, c.all())
		failures = append(failures, found...)
		if difference := sameBits(want, got); difference != "" {
			failures = append(failures, fmt.Sprintf("with %d threads: %s", threads, difference))
		}
	}
	return failures
}

// openReference opens what a device is held against: in float64, but with activations rounded as the device rounds them where it computes in int8,
// as they may lie on either side of a rounding only if they differ.
func openReference(t testing.TB, compute device.Compute) device.Device {
	t.Helper()
	if compute != device.ComputeInt8 {
		compute = device.ComputeF64
	}
	d, err := device.Open("reference", device.Options{Compute: compute})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// check makes all checks of one case and says what failed.
func check(device, reference device.Device, c testCase) []string {
	wanted := c.all()
	if c.large {
		wanted = slices.Compact([]int{0, 1 % c.units, c.units / 2, c.units - 1})
	}
	want, failures := (&rig{device: reference}).compute(c, wanted)
	if len(failures) > 0 {
		return failures
	}
	got, failures := (&rig{device: device}).compute(c, c.all())
	if len(failures) > 0 {
		return failures
	}
	p := precisionOf(device.Info().Compute)
	for i, unit := range wanted {
		if difference := c.compare(p, unit, want[i], got[unit]); difference != "" {
			failures = append(failures, difference)
		}
	}
	again := func(how string, r *rig, units []int) {
		r.device = device
		values, found := r.compute(c, units)
		failures = append(failures, found...)
		expected := make([][]float64, len(units))
		for i, unit := range units {
			expected[i] = got[unit]
		}
		if difference := sameBits(expected, values); difference != "" {
			failures = append(failures, how+": "+difference)
		}
	}
	again("the last alone", &rig{}, c.all()[c.units-1:])
	if c.large {
		return failures
	}
	backwards := c.all()
	slices.Reverse(backwards)
	again("as views", &rig{views: true}, c.all())
	again("backwards", &rig{}, backwards)
	again("the second part", &rig{}, c.all()[(c.units+1)/3:])
	again("the first part, as views", &rig{views: true}, c.all()[:(c.units+1)/2])
	again("no unit", &rig{}, nil)
	if c.inPlace {
		again("in place", &rig{inPlace: true}, c.all())
		again("in place, as views", &rig{inPlace: true, views: true}, c.all())
	}
	if c.prefixes {
		again("joined to the prefix", &rig{joined: true}, c.all())
	}
	return failures
}

func (c testCase) all() []int {
	units := make([]int, c.units)
	for i := range units {
		units[i] = i
	}
	return units
}

// compare says where a unit's values are not the wanted ones.
func (c testCase) compare(p precision, unit int, want, got []float64) string {
	if len(want) != len(got) {
		return fmt.Sprintf("unit %d: %d values, want %d", unit, len(got), len(want))
	}
	for j := range want {
		tolerance := c.tolerance(p, unit, j, want[j])
		if !agree(want[j], got[j], tolerance) {
			return fmt.Sprintf("unit %d, value %d: %.9g, want %.9g ± %.2g", unit, j, got[j], want[j], tolerance)
		}
	}
	return ""
}

// agree says whether a value is the wanted one; what is no number must be the same one, and what float32 cannot hold infinite.
func agree(want, got, tolerance float64) bool {
	switch {
	case math.IsNaN(want):
		return math.IsNaN(got)
	case math.IsInf(want, 0):
		return got == want
	case math.IsInf(got, 0):
		return math.Abs(want)+tolerance > math.MaxFloat32 && (got > 0) == (want > 0)
	}
	return math.Abs(got-want) <= tolerance
}

// sameBits says where two results differ at all; one NaN is as good as another.
func sameBits(want, got [][]float64) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d units, want %d", len(got), len(want))
	}
	for i := range want {
		if len(want[i]) != len(got[i]) {
			return fmt.Sprintf("unit %d of %d: %d values, want %d", i, len(want), len(got[i]), len(want[i]))
		}
		for j := range want[i] {
			a, b := want[i][j], got[i][j]
			if math.Float64bits(a) != math.Float64bits(b) && !(math.IsNaN(a) && math.IsNaN(b)) {
				return fmt.Sprintf("unit %d of %d, value %d: %.17g, was %.17g", i, len(want), j, b, a)
			}
		}
	}
	return ""
}

// table lists every case.
var table = sync.OnceValue(func() []testCase {
	return slices.Concat(productCases(), fewProductCases(), embedCases(), normCases(), arithmeticCases(), activationCases(), ropeCases(),
		attentionCases(), cacheCases(), moveCases(), convolveCases(), deltaRuleCases(), measureCases(), headCases())
})
