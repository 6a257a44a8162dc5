// A cache of words and their ids. It is a fixed number of slots, two of which a word may occupy; a newcomer replaces what it finds.
// Reading and writing are single atomic operations, so that any number of goroutines share it without locks.

package tokenizer

import (
	"hash/maphash"
	"strings"
	"sync/atomic"
)

const (
	cacheSlots     = 1 << 16
	longestCached  = 64 // bytes of a word
	mostCachedToks = 32 // ids of a word
)

type cachedWord struct {
	word string
	ids  []int32
}

type wordCache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[cachedWord]
}

func newWordCache() *wordCache {
	return &wordCache{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[cachedWord], cacheSlots)}
}

func (c *wordCache) slot(word string) uint64 {
	return maphash.String(c.seed, word) & (cacheSlots - 1)
}

// get returns the ids of word, or nil and the slot to store them in.
func (c *wordCache) get(word string) ([]int32, uint64) {
	slot := c.slot(word)
	if e := c.slots[slot].Load(); e != nil && e.word == word {
		return e.ids, slot
	}
	if e := c.slots[slot^1].Load(); e != nil && e.word == word {
		return e.ids, slot
	}
	return nil, slot
}

// put stores ids, which it copies, unless word or ids are long or ids is empty.
func (c *wordCache) put(slot uint64, word string, ids []int32) {
	if len(word) > longestCached || len(ids) == 0 || len(ids) > mostCachedToks {
		return
	}
	if c.slots[slot].Load() != nil && c.slots[slot^1].Load() == nil {
		slot ^= 1
	}
	c.slots[slot].Store(&cachedWord{strings.Clone(word), append([]int32(nil), ids...)})
}
