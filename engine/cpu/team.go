package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Operations follow one another closely, and to wake a sleeping thread takes longer (a quarter of a millisecond on a virtual machine) than
// many of them do. So a worker that has done its share waits, spinning, for the next operation for a moment before it ends, and so does
// whoever shared the work for the workers' end before sleeping. The moment is short: on a busy machine it is all that spinning can cost an
// operation.

// spinTime is how long that moment is.
const spinTime = 100 * time.Microsecond

// team is the workers of a device: goroutines that its operations are shared with, from one goroutine, which is worker 0.
type team struct {
	slots []atomic.Pointer[share] // one a worker but the first: nil while it spins, &idle where there is none, otherwise its work
	spins bool
}

// share is one operation.
type share struct {
	do   func(worker int)
	left atomic.Int64 // workers that have not finished
	done sync.WaitGroup
}

// idle marks the slot of a worker that has ended.
var idle share

func newTeam(workers int) *team {
	// Where processors are fewer than workers, spinning would keep somebody from working.
	c := &team{slots: make([]atomic.Pointer[share], workers-1), spins: workers <= min(runtime.GOMAXPROCS(0), runtime.NumCPU())}
	for i := range c.slots {
		c.slots[i].Store(&idle)
	}
	return c
}

// share calls do for workers 0 to n, together, and returns when all have.
func (c *team) share(n int, do func(worker int)) {
	if n <= 1 {
		do(0)
		return
	}
	w := &share{do: do}
	w.left.Store(int64(n - 1))
	w.done.Add(n - 1)
	for i := range n - 1 {
		if slot := &c.slots[i]; !slot.CompareAndSwap(nil, w) {
			slot.Store(w)
			go c.help(i + 1)
		}
	}
	do(0)
	if c.spins {
		spin(func() bool { return w.left.Load() == 0 })
	}
	w.done.Wait()
}

// help is a worker, from its first work until it has spun in vain.
func (c *team) help(worker int) {
	slot := &c.slots[worker-1]
	for {
		w := slot.Load()
		w.do(worker)
		slot.Store(nil) // first: whoever shares next may find it so
		w.left.Add(-1)
		w.done.Done()
		come := c.spins && spin(func() bool { return slot.Load() != nil })
		if !come && slot.CompareAndSwap(nil, &idle) {
			return
		}
	}
}

// spin waits a moment for something to come true.
func spin(come func() bool) bool {
	for begin := time.Now(); time.Since(begin) < spinTime; {
		for range 16 {
			if come() {
				return true
			}
		}
	}
	return false
}
