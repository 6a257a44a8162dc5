package cuda

import (
	"strings"
	"sync"
	"testing"
	"time"

	"avssnative/engine/device"
)

// slowLoad is the driver that takes as long for a module as somebody makes it.
type slowLoad struct {
	driver
	before func()
}

func (s slowLoad) load(image string) (module, error) {
	s.before()
	return s.driver.load(image)
}

// TestCompilingIsTold: where the driver takes long for the kernels that is said, once; where it does not nothing is.
func TestCompilingIsTold(t *testing.T) {
	drv := present(t)
	silent(t)
	told := make(chan string, 100)
	open := func(before func()) []string {
		t.Helper()
		d, err := openOn(slowLoad{drv, before}, 0, device.Options{Compute: device.ComputeF32, Busy: func(what string) { told <- what }})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		var all []string
		for len(told) > 0 {
			all = append(all, <-told)
		}
		return all
	}
	var once sync.Once
	all := open(func() { // the first module takes until it has been told of
		once.Do(func() {
			said := <-told
			told <- said
		})
	})
	if len(all) != 1 || !strings.Contains(all[0], "cuda:0: the driver compiles the kernels") {
		t.Errorf("told %q, want one line", all)
	}
	b := newBusy(func(what string) { t.Errorf("told %q of what takes no time", what) })
	b.after = time.Hour
	for range 3 {
		b.during("nothing", func() {})
	}
}
