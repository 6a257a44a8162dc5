package cuda

import (
	"slices"
	"sync"
	"testing"
	"unsafe"

	"avssnative/engine/device"
)

// pinning is the driver that takes nothing to the device but what lies in pinned memory.
type pinning struct {
	driver
	t    *testing.T
	mu   *sync.Mutex // uploads call too
	held map[uintptr]int64
	sent *int
}

func (p pinning) allocPinned(bytes int64) (unsafe.Pointer, error) {
	at, err := p.driver.allocPinned(bytes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[uintptr(at)] = bytes
	return at, err
}

func (p pinning) freePinned(at unsafe.Pointer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, uintptr(at))
	return p.driver.freePinned(at)
}

func (p pinning) toDevice(dst pointer, src unsafe.Pointer, bytes int64, s stream) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	*p.sent++
	inside := false
	for at, size := range p.held {
		inside = inside || uintptr(src) >= at && uintptr(src)+uintptr(bytes) <= at+uintptr(size)
	}
	if !inside {
		p.t.Errorf("a copy of %d bytes from memory that is not pinned", bytes)
	}
	return p.driver.toDevice(dst, src, bytes, s)
}

// TestUploadsArePinned: whatever goes to the device, weights, tensors, what kernels read beside them, goes through pinned memory, which is
// given back at the end.
func TestUploadsArePinned(t *testing.T) {
	drv := pinning{present(t), t, new(sync.Mutex), map[uintptr]int64{}, new(int)}
	silent(t)
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		opened, err := openOn(drv, 0, device.Options{Compute: compute})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range scenarios() {
			if s.compute == compute {
				s.run(opened.(*gpu))
			}
		}
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
	if *drv.sent == 0 || len(drv.held) != 0 {
		t.Errorf("%d copies; %d pieces of pinned memory are kept", *drv.sent, len(drv.held))
	}
}

// TestStagingGoesRound: values longer than the staging memory arrive, and what the caller does with them afterwards does not matter.
func TestStagingGoesRound(t *testing.T) {
	d := open(t, device.ComputeF32)
	silent(t)
	const cols = 3*halfBytes/4 + 5
	x := d.NewTensor(1, cols)
	defer x.Free()
	values := make([]float32, cols)
	for i := range values {
		values[i] = float32(i)
	}
	want := slices.Clone(values)
	d.Upload(x, 0, values)
	clear(values)
	got := make([]float32, cols)
	d.Download(got, x, 0)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("other values")
	}
}
