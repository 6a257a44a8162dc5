package cuda

import (
	"errors"
	"testing"

	"avssnative/engine/device"
	"avssnative/failure"
)

// Where there is no memory for another stage uploads go on with those that there are, and with one of what smaller ones gave up.
func TestStagesThatThereIsNoRoomFor(t *testing.T) {
	opened, err := openOn(present(t), 0, device.Options{Compute: device.ComputeF32})
	if err != nil {
		t.Fatal(err)
	}
	d := opened.(*gpu)
	defer d.Close()
	u := d.uploads
	stage := func(bytes int) (at int, err error) {
		err = d.bound(func() error {
			s, err := u.stage(bytes)
			for i := range u.stages {
				if s == &u.stages[i] {
					at = i
				}
			}
			if err != nil {
				return err
			}
			return u.sent()
		})
		return at, err
	}
	first := u.next
	for range 2 {
		if _, err := stage(1 << 20); err != nil { // which has twice as much
			t.Fatal(err)
		}
	}
	d.memory.limit = d.memory.held
	if at, err := stage(1 << 20); err != nil || at != first {
		t.Errorf("stage %d, %v; want %d, which is large enough", at, err, first)
	}
	u.next = (first + 2) % len(u.stages)
	if _, err := stage(2 << 20); err != nil {
		t.Errorf("4 MiB where two stages hold as much: %v", err)
	}
	if _, err := stage(64 << 20); !errors.Is(err, failure.Memory) {
		t.Errorf("64 MiB: %v, want an error of want of memory", err)
	}
	if d.memory.held > d.memory.limit {
		t.Errorf("%d bytes held, %d allowed", d.memory.held, d.memory.limit)
	}
}
