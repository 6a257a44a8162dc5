package cuda

import (
	"sync"
	"time"
)

// busy tells somebody what takes the device long before it can compute: where a program holds no machine code for its GPU the driver compiles every
// module when it is first loaded, seconds each, unless it has them from another time. Which of the two it is only shows in how long it takes.
type busy struct {
	tell  func(what string)
	after time.Duration

	mu    sync.Mutex
	spent map[string]time.Duration // by what
	told  map[string]bool
}

// longWait is what nobody needs to be told of.
const longWait = 500 * time.Millisecond

func newBusy(tell func(string)) *busy {
	return &busy{tell: tell, after: longWait, spent: map[string]time.Duration{}, told: map[string]bool{}}
}

// during does what may take long and tells of it, once, as soon as all of its kind have taken too long together.
func (b *busy) during(what string, do func()) {
	if b.tell == nil {
		do()
		return
	}
	b.mu.Lock()
	left := b.after - b.spent[what]
	b.mu.Unlock()
	began := time.Now()
	over := time.AfterFunc(max(left, 0), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.told[what] {
			b.told[what] = true
			b.tell(what)
		}
	})
	do()
	over.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent[what] += time.Since(began)
}
