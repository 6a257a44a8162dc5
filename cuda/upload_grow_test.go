package cuda

import (
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"avssnative/engine/device"
)

// refusing is the driver whose n-th call for pinned memory, to have it or to give it back, fails; below 0 none does. What is given back must have
// been had.
type refusing struct {
	driver
	t    *testing.T
	n    *atomic.Int64
	mu   *sync.Mutex
	held map[unsafe.Pointer]bool
}

func (r refusing) allocPinned(bytes int64) (unsafe.Pointer, error) {
	if r.n.Add(-1) == -1 {
		return nil, errPlanted
	}
	p, err := r.driver.allocPinned(bytes)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[p] = true
	return p, err
}

func (r refusing) freePinned(p unsafe.Pointer) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.held[p] {
		r.t.Errorf("pinned memory is given back that is not held")
	}
	delete(r.held, p)
	if r.n.Add(-1) == -1 { // it is gone, as far as anybody can tell
		return errPlanted
	}
	return r.driver.freePinned(p)
}

// Stages of uploads that grow give their memory back once, whichever call fails on the way, and go on afterwards.
func TestStagesGrow(t *testing.T) {
	drv := present(t)
	silent(t)
	for at := 0; ; at++ {
		var n atomic.Int64
		n.Store(-1)
		counted := refusing{drv, t, &n, new(sync.Mutex), map[unsafe.Pointer]bool{}}
		opened, err := openOn(counted, 0, device.Options{Compute: device.ComputeF32})
		if err != nil {
			t.Fatal(err)
		}
		d := opened.(*gpu)
		d.memory.pooled = false
		n.Store(int64(at))
		failed := false
		for _, operation := range []func(d *gpu){product(4, 40, 70, nil), product(4, 40, 70, nil), product(4, 80, 140, nil), product(4, 80, 140, nil)} {
			failed = runs(d, operation) || failed
		}
		met := n.Swap(-1) < 0
		if met && !failed {
			t.Errorf("call %d failed and nobody says so", at)
		}
		if runs(d, product(4, 160, 280, nil)) {
			t.Errorf("after call %d had failed, an upload fails that nothing is wrong with", at)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if len(counted.held) != 0 {
			t.Errorf("call %d failed, and %d pieces of pinned memory are kept", at, len(counted.held))
		}
		if !met {
			if at < 4 {
				t.Fatalf("%d calls for pinned memory: nothing grew", at)
			}
			return
		}
	}
}
