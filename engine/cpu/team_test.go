package cpu

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	kernels "avssnative/kernels/cpu"
)

// teams calls test with teams of the kernels that are here and of those in plain Go, which look out or do not, and waits for the helpers to go.
func teams(t *testing.T, workers int, test func(t *testing.T, c *team)) {
	for _, isa := range []kernels.ISA{best(t), kernels.Go} {
		k, err := kernels.OpenISA(isa)
		if err != nil {
			if isa == kernels.Go { // is for programs without compiled kernels
				continue
			}
			t.Fatal(err)
		}
		for _, spin := range []time.Duration{spinTime, 0} {
			t.Run(fmt.Sprint(isa, spin), func(t *testing.T) {
				before := runtime.NumGoroutine()
				c, err := newTeam(k, workers)
				if err != nil {
					t.Fatal(err)
				}
				c.Spin = int64(spin)
				test(t, c)
				c.close()
				for wait := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
					if time.Since(wait) > 10*time.Second {
						t.Fatalf("%d goroutines are left, %d were there", runtime.NumGoroutine(), before)
					}
				}
			})
		}
	}
}

func best(t *testing.T) kernels.ISA {
	found, err := kernels.Available()
	if err != nil {
		t.Fatal(err)
	}
	return found[len(found)-1]
}

// TestTeamShares shares work in quick succession, after pauses in which the helpers go, and where nobody looks out: worker 0 is called once, each other
// once or, where it came too late, not at all, and nobody after share has returned.
func TestTeamShares(t *testing.T) {
	teams(t, 5, func(t *testing.T, c *team) {
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
					t.Fatalf("turn %d: worker %d of %d was called %d times", turn, w, n, got)
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
			t.Error("nobody helped")
		}
	})
}

// TestTeamRuns does operations of several sizes together, beside work that is shared the other way: each job is done once.
func TestTeamRuns(t *testing.T) {
	teams(t, 4, func(t *testing.T, c *team) {
		const cols = 16
		sizes := []int{40, 1, 300, 7}
		var items []item
		var sums [][]float32
		for _, rows := range sizes {
			sum, one := c.kernels.Allocate(int64(rows*cols)), c.kernels.Allocate(int64(rows*cols))
			if sum == nil || one == nil {
				t.Fatal("no memory")
			}
			defer c.kernels.Release(sum)
			defer c.kernels.Release(one)
			for i := range one {
				one[i] = 1
			}
			at := kernels.TensorOf(sum, rows, cols, cols)
			items = append(items, item{kernels.Add, &kernels.AddArguments{Dst: at, A: at, B: kernels.TensorOf(one, rows, cols, cols), Factor: 1}, int64(rows), 3, 50, int64(rows%2*4 + 1)})
			sums = append(sums, sum)
		}
		for turn := range 2000 {
			n := turn%3 + 2
			c.run(n, items, make([]unsafe.Pointer, n))
			for i, sum := range sums {
				if at := slices.IndexFunc(sum, func(v float32) bool { return v != float32(turn+1) }); at >= 0 {
					t.Fatalf("turn %d, item %d, value %d: done %g times, want %d", turn, i, at, sum[at], turn+1)
				}
			}
			if turn%5 == 0 {
				var called atomic.Int32
				c.share(n, func(int) { called.Add(1) })
				if got := int(called.Load()); got < 1 || got > n {
					t.Fatalf("turn %d: %d calls for %d workers", turn, got, n)
				}
			}
			if turn%100 == 0 {
				time.Sleep(3 * spinTime / 2)
			}
		}
	})
}
