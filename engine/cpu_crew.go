package engine

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
const linger = 100 * time.Microsecond

// crew is the goroutines that help with the operations of a device, which shares its work with them from one goroutine.
type crew struct {
	posts   []atomic.Pointer[crewWork] // one a helper: nil while it looks out, away where there is none, otherwise what it does
	lingers bool
}

// crewWork is one operation's share.
type crewWork struct {
	do   func(worker int)
	left atomic.Int64 // helpers that have not finished
	done sync.WaitGroup
}

var away crewWork

func newCrew(workers int) *crew {
	// Where processors are fewer than workers, looking out would keep somebody from working.
	c := &crew{posts: make([]atomic.Pointer[crewWork], workers-1), lingers: workers <= min(runtime.GOMAXPROCS(0), runtime.NumCPU())}
	for i := range c.posts {
		c.posts[i].Store(&away)
	}
	return c
}

// share calls do for workers 0 to n, together, and returns when all have.
func (c *crew) share(n int, do func(worker int)) {
	if n <= 1 {
		do(0)
		return
	}
	w := &crewWork{do: do}
	w.left.Store(int64(n - 1))
	w.done.Add(n - 1)
	for i := range n - 1 {
		if post := &c.posts[i]; !post.CompareAndSwap(nil, w) {
			post.Store(w)
			go c.help(i + 1)
		}
	}
	do(0)
	if c.lingers {
		lookOut(func() bool { return w.left.Load() == 0 })
	}
	w.done.Wait()
}

// help is a helper, from its first work until it has looked out in vain.
func (c *crew) help(worker int) {
	post := &c.posts[worker-1]
	for {
		w := post.Load()
		w.do(worker)
		post.Store(nil) // first: whoever shares next may find it so
		w.left.Add(-1)
		w.done.Done()
		come := c.lingers && lookOut(func() bool { return post.Load() != nil })
		if !come && post.CompareAndSwap(nil, &away) {
			return
		}
	}
}

// lookOut waits a moment for something to come true.
func lookOut(come func() bool) bool {
	for begin := time.Now(); time.Since(begin) < linger; {
		for range 16 {
			if come() {
				return true
			}
		}
	}
	return false
}
