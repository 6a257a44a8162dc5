package cuda

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"avssnative/engine/device"
	"avssnative/internal/devicetest"
	"avssnative/internal/need"
)

// someGPU skips the test where there is no GPU, neither a real one nor the one that AVSSNATIVE_LIBCUDA poses as.
func someGPU(t testing.TB) {
	t.Helper()
	if _, _, err := cards(); err != nil {
		if os.Getenv("AVSSNATIVE_LIBCUDA") != "" {
			t.Fatal(err)
		}
		need.Missing(t, "a GPU, or AVSSNATIVE_LIBCUDA naming the PTX machine,")
	}
}

// open opens the first GPU.
func open(t testing.TB, compute device.Compute) *gpu {
	t.Helper()
	someGPU(t)
	d, err := device.Open("cuda:0", device.Options{Compute: compute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d.(*gpu)
}

// silent fails the test where the driver is the PTX machine and has found something by the test's end.
func silent(t testing.TB) {
	if os.Getenv("AVSSNATIVE_LIBCUDA") == "" {
		return
	}
	m := openMachine(t)
	m.clear()
	t.Cleanup(func() {
		if m.findings(nil) != 0 {
			t.Errorf("the PTX machine found:\n%s", m.report())
		}
	})
}

// TestConformance holds every operation against "reference", in both precisions.
func TestConformance(t *testing.T) {
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		t.Run(string(compute), func(t *testing.T) {
			silent(t)
			devicetest.Run(t, func(t testing.TB) device.Device { return open(t, compute) })
		})
	}
}

// TestTiles: all shapes of the bfloat16 product give the same bits.
func TestTiles(t *testing.T) {
	d := open(t, device.ComputeBF16)
	silent(t)
	const rows, in, out = 130, 100, 261
	m, err := d.Matrix(weight(out, in))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	x, y := filled(d, rows, in), d.NewTensor(rows, out)
	var want []float32
	for _, shape := range []*tile{&tileBig, &tileMid, &tileFew} {
		d.forced = shape
		d.Product(y, x, m, nil)
		got := make([]float32, rows*out)
		d.Download(got, y, 0)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%s: value %d is %g, %s gave %g", shape.kernel, i, got[i], tileBig.kernel, want[i])
			}
		}
	}
}

// TestQuantised: a product that reads quantised blocks gives the bits of one on their dequantised values.
func TestQuantised(t *testing.T) {
	d := open(t, device.ComputeBF16)
	silent(t)
	const rows, in, out = 19, 768, 37
	for kind, w := range map[string]device.Weight{"Q8_0": blocks(device.Q8_0, in, out, 34, 32), "Q4_K": blocks(device.Q4_K, in, out, 144, 256)} {
		m, err := d.Matrix(w)
		if err != nil {
			t.Fatal(err)
		}
		x, y := filled(d, rows, in), d.NewTensor(rows, out)
		var got [2][]float32
		for i, force := range []*tile{nil, &tileFew} {
			d.forced = force
			d.Product(y, x, m, nil)
			got[i] = make([]float32, rows*out)
			d.Download(got[i], y, 0)
		}
		d.forced = nil
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		m.Release()
		for i := range got[0] {
			if got[0][i] != got[1][i] {
				t.Fatalf("%s: value %d is %g, dequantised first %g", kind, i, got[0][i], got[1][i])
			}
		}
	}
}

// TestSynchronous: with AVSSNATIVE_CUDA_SYNC=1 every launch is timed under its kernel's name, and no memory is kept back.
func TestSynchronous(t *testing.T) {
	t.Setenv("AVSSNATIVE_CUDA_SYNC", "1")
	d := open(t, device.ComputeF32)
	silent(t)
	before := 0
	if p := d.profile["product_f32_few"]; p != nil {
		before = p.launches // of the self-test
	}
	product(5, 50, 66, nil)(d)
	if p := d.profile["product_f32_few"]; p == nil || p.launches != before+1 {
		t.Errorf("profile %+v, want one launch of product_f32_few more than %d", p, before)
	}
	if len(d.memory.idle) != 0 {
		t.Errorf("%d sizes of memory kept", len(d.memory.idle))
	}
}

// TestNoDriver: without a driver library a device that is asked for by name is an error that says so; it needs a process of its own.
func TestNoDriver(t *testing.T) {
	if os.Getenv("AVSSNATIVE_LIBCUDA") == "none/libcuda.so.1" {
		if _, err := device.Open("cuda:0", device.Options{}); err == nil || !strings.Contains(err.Error(), "no driver") {
			t.Fatalf("error %v, want one that says that there is no driver", err)
		}
		if _, err := device.List("cuda"); err == nil {
			t.Fatal("devices listed without a driver")
		}
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestNoDriver$")
	child.Env = append(os.Environ(), "AVSSNATIVE_LIBCUDA=none/libcuda.so.1")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestRefusals: what a device does not offer is an error that names it.
func TestRefusals(t *testing.T) {
	open(t, device.ComputeF32)
	for name, o := range map[string]device.Options{"compute \"f64\"": {Compute: device.ComputeF64}, "out of memory": {Memory: 1 << 12}} {
		if d, err := device.Open("cuda:0", o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, error %v, want one about %s", d, err, name)
		}
	}
	if _, err := device.Open("cuda:99", device.Options{}); err == nil || !strings.Contains(err.Error(), "no such device") {
		t.Errorf("error %v, want one that says that there is no such device", err)
	}
}

// TestLimit: memory beyond the limit is refused, and what was given back can be had again.
func TestLimit(t *testing.T) {
	someGPU(t)
	opened, err := device.Open("cuda:0", device.Options{Compute: device.ComputeF32, Memory: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	for range 3 {
		opened.NewTensor(1000, 150).Free()
	}
	if err := opened.Sync(); err != nil {
		t.Fatal(err)
	}
	opened.NewTensor(1000, 300)
	if err := opened.Sync(); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("error %v, want out of memory", err)
	}
	opened.NewTensor(10, 10)
	if err := opened.Sync(); err != nil {
		t.Errorf("after a failure that was reported: %v", err)
	}
}
