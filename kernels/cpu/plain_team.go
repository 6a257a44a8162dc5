package cpu

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// The twin of team.c in Go.

func (t *Team) slot(worker int64) *int64 { return (*int64)(unsafe.Add(t.Slots, 8*worker*Slot)) }

// take does jobs of the work, in portions that become smaller towards the end.
func (t *Team) take(worker int64) {
	items, scratch := slice[Item](t.Items, t.Count), slice[unsafe.Pointer](t.Scratch, t.Sharing)
	for {
		first := atomic.LoadInt64(&t.Next)
		i, at := 0, first
		for ; i < len(items) && at >= items[i].Jobs; i++ {
			at -= items[i].Jobs
		}
		if i == len(items) {
			return
		}
		n, cuts := min(max((t.Total-first)/(2*t.Sharing), items[i].Least), items[i].Most, items[i].Jobs-at), items[i].Cuts
		if at%cuts != 0 {
			n = min(n, cuts-at%cuts) // the rest of a set that somebody began
		} else if n > cuts {
			n -= n % cuts
		}
		if atomic.CompareAndSwapInt64(&t.Next, first, first+n) {
			plain{}.run(items[i].Operation, items[i].Arguments, at, at+n, scratch[worker])
		}
	}
}

func (plain) teamWork(team unsafe.Pointer) int64 {
	t := (*Team)(team)
	t.take(0)
	for worker := int64(1); worker < t.Sharing; worker++ {
		if atomic.CompareAndSwapInt64(t.slot(worker), Offered, Looking) || atomic.CompareAndSwapInt64(t.slot(worker), Asked, Looking) {
			atomic.AddInt64(&t.Left, -1)
		}
	}
	return int64(flag(!spun(t.Spin, func() bool { return atomic.LoadInt64(&t.Left) == 0 })))
}

func (plain) teamHelp(team unsafe.Pointer, worker int64) int64 {
	t := (*Team)(team)
	for slot := t.slot(worker); ; {
		if atomic.CompareAndSwapInt64(slot, Asked, Busy) {
			return Busy
		}
		if atomic.CompareAndSwapInt64(slot, Offered, Busy) {
			t.take(worker)
			atomic.StoreInt64(slot, Looking) // first: whoever shares next may find it so
			if atomic.AddInt64(&t.Left, -1) == Asleep {
				return Asleep
			}
		}
		if !spun(t.Spin, func() bool { return atomic.LoadInt64(slot) != Looking }) && atomic.CompareAndSwapInt64(slot, Looking, Nobody) {
			return Nobody
		}
	}
}

// spun waits so many nanoseconds at the most for something to come true.
func spun(limit int64, come func() bool) bool {
	for begin := time.Now(); !come(); {
		if int64(time.Since(begin)) >= limit {
			return come()
		}
	}
	return true
}
