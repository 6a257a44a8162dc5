package mapped

import (
	"maps"
	"os"
	"path/filepath"
	"sync"
)

// unfinished are the workshops of this process.
var unfinished struct {
	sync.Mutex
	all map[*workshop]bool
}

// began and ended note a workshop.
func (w *workshop) began() {
	unfinished.Lock()
	defer unfinished.Unlock()
	if unfinished.all == nil {
		unfinished.all = map[*workshop]bool{}
	}
	unfinished.all[w] = true
}

func (w *workshop) ended() {
	unfinished.Lock()
	defer unfinished.Unlock()
	delete(unfinished.all, w)
}

// Abandon removes what every output of this process that is not finished has made so far. It is for a process that ends next and cannot wait
// for who is writing: whoever writes on, or gives the output its name, gets an error.
func Abandon() {
	unfinished.Lock()
	all := maps.Clone(unfinished.all)
	unfinished.Unlock()
	for w := range all {
		if _, err := os.Lstat(w.old()); err == nil {
			continue // a former output is on its way: the next run puts it back
		}
		// What is half removed must not get its name.
		_ = os.Rename(w.made(), filepath.Join(w.folder, "made", ".abandoned"))
		for range 10 { // who is writing may make an entry while the others are removed
			if os.RemoveAll(w.folder) == nil {
				break
			}
		}
	}
}
