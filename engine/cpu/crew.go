package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Operations follow one another closely, and to wake a sleeping thread takes longer (a quarter of a millisecond on a virtual machine) than
// many of them do. So a helper that has done its share looks out for the next operation for a moment before it goes, and whoever shared the
// work looks out for a helper's end before he sleeps. The moment is short: on a busy machine it is all that waiting can cost an operation.

// linger is how long that moment is.
const spinTime = 100 * time.Microsecond

// crew is the goroutines that help with the operations of a device, which shares its work with them from one goroutine.
type team struct {
	slots []atomic.Pointer[share] // one a helper: nil while it looks out, away where there is none, otherwise what it does
	spins bool
}

// crewWork is one operation's share.
type share struct {
	do   func(worker int)
	left atomic.Int64 // helpers that have not finished
	done sync.WaitGroup
}

var idle share

func newTeam(workers int) *team {
	// Where processors are fewer than workers, looking out would keep somebody from working.
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
		if post := &c.slots[i]; !post.CompareAndSwap(nil, w) {
			post.Store(w)
			go c.help(i + 1)
		}
	}
	do(0)
	if c.spins {
		spin(func() bool { return w.left.Load() == 0 })
	}
	w.done.Wait()
}

// help is a helper, from its first work until it has looked out in vain.
func (c *team) help(worker int) {
	post := &c.slots[worker-1]
	for {
		w := post.Load()
		w.do(worker)
		post.Store(nil) // first: whoever shares next may find it so
		w.left.Add(-1)
		w.done.Done()
		come := c.spins && spin(func() bool { return post.Load() != nil })
		if !come && post.CompareAndSwap(nil, &idle) {
			return
		}
	}
}

// lookOut waits a moment for something to come true.
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
