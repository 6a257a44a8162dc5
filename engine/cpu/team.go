package cpu

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	kernels "avssnative/kernels/cpu"
)

// Operations follow one another closely, and to wake a sleeping thread takes longer (a quarter of a millisecond on a virtual machine) than
// many of them do. So a worker that has done its share waits, spinning, for the next operation for a moment before it ends, and so does
// whoever shared the work for the workers' end before sleeping. The moment is short: on a busy machine it is all that spinning can cost an
// operation. Both wait inside the kernels (team.c), where Go's scheduler does not move them to other threads.

const spinTime = 100 * time.Microsecond

// mostItems is how many operations the workers take on together.
const mostItems = 8

// team is the workers of a device: goroutines that its operations are shared with, from one goroutine, which is worker 0.
type team struct {
	kernels *kernels.Kernels
	memory  []float32 // what all the rest lies in, outside Go's heap
	*kernels.Team
	slots     []int64
	items     []kernels.Item
	scratch   []unsafe.Pointer
	arguments unsafe.Pointer
	wake      chan struct{} // for worker 0, where it sleeps
	do        func(worker int)
	// order is written before work is offered and after it is done, and read after that: so the race detector, which does not see into the
	// memory of the kernels, knows what comes after what.
	order atomic.Int64
}

// item is an operation that is shared: jobs, of which so many are taken at a time: half of each worker's part, but no fewer than least and no more
// than most, and of those that belong together, cuts each, several sets whole or some of one. None of the four is 0.
type item struct {
	operation               kernels.Operation
	arguments               kernels.Arguments
	jobs, least, most, cuts int64
}

func newTeam(k *kernels.Kernels, workers int) (*team, error) {
	const line = 64
	slots, items, scratch := line*((unsafe.Sizeof(kernels.Team{})+line-1)/line), uintptr(workers)*8*kernels.Slot, mostItems*unsafe.Sizeof(kernels.Item{})
	size := slots + items + scratch + uintptr(workers)*8 + line + mostItems*uintptr(kernels.ArgumentBytes)
	c := &team{kernels: k, memory: k.Allocate(int64(size / 4)), wake: make(chan struct{}, 1)}
	if c.memory == nil {
		return nil, fmt.Errorf("cpu: no memory for %d workers", workers)
	}
	at := kernels.Pointer(c.memory)
	c.Team = (*kernels.Team)(at)
	c.Slots = unsafe.Add(at, slots)
	c.slots = unsafe.Slice((*int64)(c.Slots), workers*kernels.Slot)
	c.Items = unsafe.Add(c.Slots, items)
	c.items = unsafe.Slice((*kernels.Item)(c.Items), mostItems)
	c.Scratch = unsafe.Add(c.Items, scratch)
	c.scratch = unsafe.Slice((*unsafe.Pointer)(c.Scratch), workers)
	c.arguments = unsafe.Add(c.Scratch, (uintptr(workers)*8+line-1)/line*line)
	// Where processors are fewer than workers, spinning would keep somebody from working.
	if workers <= min(runtime.GOMAXPROCS(0), runtime.NumCPU()) {
		c.Spin = int64(spinTime)
	}
	for worker := range workers {
		*c.slot(worker) = kernels.Nobody
	}
	return c, nil
}

func (c *team) slot(worker int) *int64 { return &c.slots[worker*kernels.Slot] }

// share calls do for worker 0 and, together with it, for those of workers 1 to n-1 that come before worker 0 has finished; it returns when all of
// them have. So do takes portions of the work until there are none. (A worker that the system has put aside would be waited for in vain.)
func (c *team) share(n int, do func(worker int)) {
	if n <= 1 {
		do(0)
		return
	}
	c.do, c.Count, c.Total = do, 0, 0
	c.offer(n, kernels.Asked)
	do(0)
	c.finish()
	c.do = nil
}

// run does items, mostItems or fewer, with workers 0 to n-1, those that come in time, each with its scratch.
func (c *team) run(n int, items []item, scratch []unsafe.Pointer) {
	arguments := c.arguments
	c.Next, c.Count, c.Total = 0, int64(len(items)), 0
	for i, item := range items {
		c.items[i] = kernels.Item{Arguments: arguments, Jobs: item.jobs, Least: item.least, Most: item.most, Cuts: item.cuts,
			Operation: int32(item.operation)}
		arguments = kernels.Put(item.operation, item.arguments, arguments)
		c.Total += item.jobs
	}
	copy(c.scratch, scratch[:n])
	c.offer(n, kernels.Offered)
	c.finish()
	runtime.KeepAlive(items) // what their copies point to
}

// offer says to the workers that there is work, and sends those that are not there.
func (c *team) offer(n int, what int64) {
	c.Sharing = int64(n)
	atomic.StoreInt64(&c.Left, int64(n-1))
	c.order.Add(1)
	for worker := 1; worker < n; worker++ {
		if slot := c.slot(worker); !atomic.CompareAndSwapInt64(slot, kernels.Looking, what) {
			atomic.StoreInt64(slot, what)
			go c.help(worker)
		}
	}
}

// finish does what is left, and waits for those who are at work.
func (c *team) finish() {
	if !c.kernels.TeamWork(c.Team) && atomic.AddInt64(&c.Left, kernels.Asleep) != kernels.Asleep {
		<-c.wake
	}
	c.order.Load()
}

// help is a worker, from its first work until it has spun in vain.
func (c *team) help(worker int) {
	for {
		switch c.kernels.TeamHelp(c.Team, worker) {
		case kernels.Busy:
			c.order.Load()
			c.do(worker)
			c.order.Add(1)
			atomic.StoreInt64(c.slot(worker), kernels.Looking) // first: whoever shares next may find it so
			if atomic.AddInt64(&c.Left, -1) == kernels.Asleep {
				c.wake <- struct{}{}
			}
		case kernels.Asleep:
			c.wake <- struct{}{}
		case kernels.Nobody:
			return
		}
	}
}

// close gives the memory back when the last worker has gone.
func (c *team) close() {
	if c.memory == nil {
		return
	}
	for worker := range len(c.scratch) {
		for atomic.LoadInt64(c.slot(worker)) != kernels.Nobody {
			time.Sleep(spinTime / 2)
		}
	}
	c.kernels.Release(c.memory)
	c.memory = nil
}
