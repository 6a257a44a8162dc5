package cpu

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestCrew shares work in quick succession, after pauses in which the helpers go, and where nobody looks out: worker 0 is called once, each other
// once or, where it came too late, not at all, and nobody after share has returned.
func TestCrew(t *testing.T) {
	for _, spins := range []bool{true, false} {
		c := newTeam(5)
		c.spins = spins
		before := runtime.NumGoroutine()
		var sink, helped atomic.Int64
		for turn := range 3000 {
			n := turn*7%5 + 1
			var called [5]atomic.Int32
			var open atomic.Bool
			open.Store(true)
			c.share(n, func(worker int) {
				for range turn * 31 % 2000 {
					sink.Add(1)
				}
				called[worker].Add(1)
				if !open.Load() {
					t.Error("a worker worked after the end")
				}
			})
			open.Store(false)
			for w := range called {
				got := called[w].Load()
				if got > 1 || got == 0 && w == 0 || got > 0 && w >= n {
					t.Fatalf("spins %v, turn %d: worker %d of %d was called %d times", spins, turn, w, n, got)
				}
				if w > 0 {
					helped.Add(int64(got))
				}
			}
			if turn%100 == 0 {
				time.Sleep(3 * spinTime / 2)
			}
		}
		if helped.Load() == 0 {
			t.Errorf("spins %v: nobody helped", spins)
		}
		for wait := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Since(wait) > 10*time.Second {
				t.Fatalf("spins %v: %d goroutines are left, %d were there", spins, runtime.NumGoroutine(), before)
			}
		}
	}
}
