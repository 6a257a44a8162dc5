package cuda

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"avssnative/engine/device"
)

// failing is the driver whose n-th allocation, copy or launch from now on fails; below 0 none does.
type failing struct {
	driver
	n *atomic.Int64 // uploads call too
}

var errPlanted = errors.New("planted")

func (f failing) next() error {
	if f.n.Add(-1) == -1 {
		return errPlanted
	}
	return nil
}

func (f failing) alloc(bytes int64) (pointer, error) {
	if err := f.next(); err != nil {
		return 0, err
	}
	return f.driver.alloc(bytes)
}

func (f failing) toDevice(dst pointer, src unsafe.Pointer, bytes int64, s stream) error {
	if err := f.next(); err != nil {
		return err
	}
	return f.driver.toDevice(dst, src, bytes, s)
}

func (f failing) toHost(dst unsafe.Pointer, src pointer, bytes int64, s stream) error {
	if err := f.next(); err != nil {
		return err
	}
	return f.driver.toHost(dst, src, bytes, s)
}

func (f failing) launch(kernel function, grid, block [3]uint32, shared uint32, s stream, slots []uint64) error {
	if err := f.next(); err != nil {
		return err
	}
	return f.driver.launch(kernel, grid, block, shared, s, slots)
}

// TestFailuresGiveBack: whichever call of the driver fails in an operation, Sync says so, and once tensors and weights are given back the device
// holds what it held before.
func TestFailuresGiveBack(t *testing.T) {
	drv := present(t)
	silent(t)
	operations := map[string]func(d *gpu){
		"product":   product(20, 40, 70, nil),
		"quantised": quantised(device.Q8_0, 34, 32),
		"summed":    summedProduct(20, 40, 70, nil),
		"head":      headed(9, 16, 90, nil, false),
		"diverging": headed(9, 16, 90, nil, true),
		"attention": attention(40, 16, 16),
		"measured":  measured,
		"moved": func(d *gpu) {
			x, y := filled(d, 3, 40), d.NewTensor(4, 40)
			d.Scatter(y, x, []int32{2, 0, 2}, []float32{1, 2, 3})
			d.Norm(y, y, device.Norm{Kind: device.NormRMS, Eps: 1e-5})
			d.Download(make([]float32, 60), y.Columns(3, 20), 0)
			done(d)
			x.Free()
			y.Free()
		},
	}
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		var n atomic.Int64
		n.Store(-1)
		opened, err := openOn(failing{drv, &n}, 0, device.Options{Compute: compute})
		if err != nil {
			t.Fatal(err)
		}
		d := opened.(*gpu)
		d.memory.pooled = false                // so that every block is an allocation
		for _, operation := range operations { // so that all stages of uploads have the memory that they keep
			for range d.uploads.stages {
				operation(d)
			}
		}
		for name, operation := range operations {
			failures := 0
			for at := 0; ; at++ {
				d.forgetLayouts(t)
				before := d.memory.used
				n.Store(int64(at))
				failed := runs(d, operation)
				if n.Swap(-1) >= 0 { // fewer calls than that
					break
				}
				failures++
				if !failed {
					t.Errorf("%s, %s: call %d failed and nobody says so", compute, name, at)
				}
				d.forgetLayouts(t)
				if d.memory.used != before {
					t.Errorf("%s, %s: call %d failed, and %d bytes are kept", compute, name, at, d.memory.used-before)
				}
			}
			if failures == 0 {
				t.Errorf("%s, %s: no call of the driver", compute, name)
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// runs says whether an operation fails: by what a Sync within it says, or because its weight cannot be had.
func runs(d *gpu, operation func(d *gpu)) (failed bool) {
	defer func() {
		if recover() != nil { // no weight
			failed = true
		}
	}()
	scenarioFailure = nil
	operation(d)
	return scenarioFailure != nil
}

// forgetLayouts gives back the layouts and tables that are kept for the next operation.
func (d *gpu) forgetLayouts(t *testing.T) {
	t.Helper()
	err := d.bound(func() (err error) {
		for _, p := range d.layouts {
			d.release(&err, p.blocks()...)
		}
		for _, known := range d.tables.list {
			d.release(&err, known.block)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.layouts, d.tables.list = nil, nil
}

// TestKernelFails: the error of a kernel that fails on the device names the kernels launched last and how to learn which one it was; launched
// one by one, it names that one.
func TestKernelFails(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	defer m.set(t, "quiet=0")
	defer m.clear()
	drv, err := openDriver()
	if err != nil {
		t.Fatal(err)
	}
	trap := func(ptx string) string {
		begin := strings.Index(ptx, ".visible .entry clamp(")
		if begin < 0 {
			return ptx
		}
		at := begin + strings.Index(ptx[begin:], "ret;")
		return ptx[:at] + "trap;\n\t" + ptx[at:]
	}
	for _, sync := range []string{"0", "1"} {
		t.Setenv("AVSSNATIVE_CUDA_SYNC", sync)
		d, err := openOn(other{driver: drv, change: trap}, 0, device.Options{Compute: device.ComputeF32})
		if err != nil {
			t.Fatal(err)
		}
		x := filled(d.(*gpu), 3, 5)
		d.Scale(x, 2, nil)
		d.Clamp(x, 1)
		d.Scale(x, 3, nil)
		err = d.Sync()
		if sync == "1" {
			oneLine(t, err, "kernel clamp")
			if strings.Contains(err.Error(), "launched last") {
				t.Errorf("error %v tells what may have failed, where it is known", err)
			}
		} else {
			oneLine(t, err, "scale, clamp", "AVSSNATIVE_CUDA_SYNC=1")
		}
		_ = d.Close()
		m.clear() // as another process
	}
}
