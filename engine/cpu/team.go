package cpu

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Operations follow one another closely, and to wake a sleeping thread takes longer (a quarter of a millisecond on a virtual machine) than
// many of them do. So a worker that has done its share waits, spinning, for the next operation for a moment before it ends, and so does
// whoever shared the work for the workers' end before sleeping. The moment is short: on a busy machine it is all that spinning can cost an
// operation.

// spinTime is how long that moment is, and longestLook is more than sixteen looks take.
const spinTime, longestLook = 100 * time.Microsecond, 2 * time.Microsecond

// team is the workers of a device: goroutines that its operations are shared with, from one goroutine, which is worker 0.
type team struct {
	slots []atomic.Pointer[share] // one a worker but the first: what it is offered, or one of the states below
	wake  chan struct{}           // for worker 0, where it sleeps
	spins bool
}

// share is one operation.
type share struct {
	do   func(worker int)
	left atomic.Int64 // workers that may not have finished, and asleep where worker 0 waits for them so
}

// A slot is nil while its worker looks out or is about to, busy while it works, and idle where there is none.
var busy, idle share

// asleep is more than workers. Who waits adds it once, and who finishes last then sees nothing else: so nobody is woken who has seen the end for
// himself. (Behind a sync.WaitGroup he would often fall asleep between the last worker's two steps, and be woken for tens of microseconds.)
const asleep = 1 << 32

func newTeam(workers int) *team {
	// Where processors are fewer than workers, spinning would keep somebody from working.
	c := &team{slots: make([]atomic.Pointer[share], workers-1), wake: make(chan struct{}, 1), spins: workers <= min(runtime.GOMAXPROCS(0), runtime.NumCPU())}
	for i := range c.slots {
		c.slots[i].Store(&idle)
	}
	return c
}

// share calls do for worker 0 and, together with it, for those of workers 1 to n-1 that come before worker 0 has finished; it returns when all of
// them have. So do takes portions of the work until there are none. (A worker that the system has put aside would be waited for in vain.)
func (c *team) share(n int, do func(worker int)) {
	if n <= 1 {
		do(0)
		return
	}
	w := &share{do: do}
	w.left.Store(int64(n - 1))
	for i := range n - 1 {
		if slot := &c.slots[i]; !slot.CompareAndSwap(nil, w) {
			slot.Store(w)
			go c.help(i + 1)
		}
	}
	do(0)
	for i := range n - 1 {
		if c.slots[i].CompareAndSwap(w, nil) {
			w.left.Add(-1)
		}
	}
	if w.left.Load() == 0 || c.spins && spin(func() bool { return w.left.Load() == 0 }) {
		return
	}
	if w.left.Add(asleep) != asleep {
		<-c.wake
	}
}

// help is a worker, from its first work until it has spun in vain.
func (c *team) help(worker int) {
	slot := &c.slots[worker-1]
	for {
		if w := slot.Load(); w != nil && slot.CompareAndSwap(w, &busy) {
			w.do(worker)
			slot.Store(nil) // first: whoever shares next may find it so
			if w.left.Add(-1) == asleep {
				c.wake <- struct{}{}
			}
		}
		come := c.spins && spin(func() bool { return slot.Load() != nil })
		if !come && slot.CompareAndSwap(nil, &idle) {
			return
		}
	}
}

// spin waits a moment for something to come true. Time counts while it runs: what passes between two looks beyond longestLook, others ran.
func spin(come func() bool) bool {
	begin := time.Now()
	for last, spent := time.Duration(0), time.Duration(0); spent < spinTime; {
		for range 16 {
			if come() {
				return true
			}
		}
		now := time.Since(begin)
		spent, last = spent+min(now-last, longestLook), now
	}
	return false
}
