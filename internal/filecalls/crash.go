package filecalls

// What a power cut may leave of some calls. A disk has for sure what was synced: the bytes of a file that were there when it was synced, the
// names of a folder likewise. Of the rest it may have anything: every change of a name that no sync has followed is kept or lost by itself, in
// whatever order they came, and a file written to since its last sync is torn. Real file systems keep more.

import (
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
)

// Left is what a name leads to after a power cut.
type Left struct {
	Folder bool
	Torn   bool   // not all that was written is there
	Data   []byte // of a file
}

// node is a file or folder, whatever its names.
type node struct {
	folder bool
	now    map[string]*node // a folder's names, as the process sees them
	data   []byte
	writes []int // the calls that changed data
	syncs  []int
}

// change is what one call did to the names of a folder; a nil node takes the name away.
type change struct {
	in   *node
	name string
	to   *node
}

// step is the changes that one call made together: they are kept together or not at all.
type step struct {
	at      int
	changes []change
}

// Disk is the calls of a process, replayed.
type Disk struct {
	calls int
	root  *node
	below string
	steps []step
}

// Replay does on a disk in memory what the calls did under a folder that was empty before.
func Replay(folder string, calls []Call) (*Disk, error) {
	d := &Disk{calls: len(calls), root: &node{folder: true, now: map[string]*node{}}, below: folder}
	for i, c := range calls {
		if err := d.apply(i, c); err != nil {
			return nil, fmt.Errorf("filecalls: call %d, %v: %w", i, c, err)
		}
	}
	return d, nil
}

// find looks a name up: the folder that has it, the last element, and what it leads to, if anything.
func (d *Disk) find(name string) (in *node, last string, found *node) {
	inside, ok := strings.CutPrefix(name, d.below)
	if !ok || inside != "" && inside[0] != '/' {
		return nil, "", nil
	}
	found = d.root
	for _, part := range strings.Split(strings.Trim(inside, "/"), "/") {
		if part == "" {
			return nil, "", d.root
		}
		if found == nil || !found.folder {
			return nil, "", nil
		}
		in, last, found = found, part, found.now[part]
	}
	return in, last, found
}

// set makes changes that belong together.
func (d *Disk) set(at int, changes ...change) {
	for _, c := range changes {
		if c.to == nil {
			delete(c.in.now, c.name)
		} else {
			c.in.now[c.name] = c.to
		}
	}
	d.steps = append(d.steps, step{at, changes})
}

// apply does a call if it can be done: what the process was refused changes nothing.
func (d *Disk) apply(i int, c Call) error {
	in, name, found := d.find(c.Path)
	switch c.Kind {
	case Create, Folder:
		switch {
		case found == nil && in != nil:
			d.set(i, change{in, name, &node{folder: c.Kind == Folder, now: map[string]*node{}}})
		case found != nil && c.Truncates && !c.Exclusive:
			found.data, found.writes = nil, append(found.writes, i)
		}
	case Write, Truncate:
		return found.write(i, c)
	case Sync:
		if found != nil {
			found.syncs = append(found.syncs, i)
		}
	case Remove, Removed:
		if found != nil && found.folder == (c.Kind == Removed) && len(found.now) == 0 {
			d.set(i, change{in, name, nil})
		}
	case Rename, Link:
		to, second, stands := d.find(c.To)
		switch {
		case found == nil || to == nil || (c.NoReplace || c.Kind == Link) && stands != nil || c.Exchange && stands == nil:
		case c.Kind == Link:
			d.set(i, change{to, second, found})
		case c.Exchange:
			d.set(i, change{to, second, found}, change{in, name, stands})
		default:
			d.set(i, change{to, second, found}, change{in, name, nil})
		}
	}
	return nil
}

func (n *node) write(i int, c Call) error {
	switch {
	case n == nil:
		return fmt.Errorf("to a file without a name")
	case c.Kind == Truncate:
		n.data = append(n.data, make([]byte, max(0, int(c.Size)-len(n.data)))...)[:c.Size]
	case c.At < 0: // every writer here begins with an empty file and goes on
		n.data = append(n.data, c.Data...)
	default:
		n.data = append(n.data, make([]byte, max(0, int(c.At)+len(c.Data)-len(n.data)))...)
		copy(n.data[c.At:], c.Data)
	}
	n.writes = append(n.writes, i)
	return nil
}

// between reports whether one of the calls lies behind the first and before the end.
func between(calls []int, first, end int) bool {
	return slices.ContainsFunc(calls, func(at int) bool { return at > first && at < end })
}

// most is how many sets of lost changes are looked at for one moment.
const most = 64

// Cut shows what a power cut may leave at every moment: before call number at, which is the number of calls at the end. Each moment is shown with
// every set of changes that may have been lost, or with many drawn ones where there are too many.
func (d *Disk) Cut(r *rand.Rand, visit func(at int, left map[string]Left)) {
	for at := range d.calls + 1 {
		var sure, open []int
		for i, s := range d.steps {
			if s.at >= at {
				break
			}
			synced := slices.ContainsFunc(s.changes, func(c change) bool { return between(c.in.syncs, s.at, at) })
			if synced {
				sure = append(sure, i)
			} else {
				open = append(open, i)
			}
		}
		sets, all := most, most>>len(open) > 0
		if all {
			sets = 1 << len(open)
		}
		for set := range sets {
			keep := uint64(set)
			if !all {
				keep = r.Uint64()
			}
			kept := slices.Clone(sure)
			for bit, i := range open {
				if keep>>(bit%64)&1 != 0 {
					kept = append(kept, i)
				}
			}
			slices.Sort(kept)
			visit(at, d.left(at, kept))
		}
	}
}

// End is what the disk has when nothing is lost.
func (d *Disk) End() map[string]Left {
	var all []int
	for i := range d.steps {
		all = append(all, i)
	}
	return d.left(d.calls, all)
}

// left is what stands on a disk that has some steps.
func (d *Disk) left(at int, kept []int) map[string]Left {
	names := map[*node]map[string]*node{}
	for _, i := range kept {
		for _, c := range d.steps[i].changes {
			if names[c.in] == nil {
				names[c.in] = map[string]*node{}
			}
			names[c.in][c.name] = c.to
		}
	}
	all := map[string]Left{}
	var list func(n *node, below string, deep int)
	list = func(n *node, below string, deep int) {
		for name, to := range names[n] {
			if to == nil || deep > 64 { // lost changes may let a folder hold itself
				continue
			}
			all[path.Join(below, name)] = to.left(at)
			if to.folder {
				list(to, path.Join(below, name), deep+1)
			}
		}
	}
	list(d.root, "", 0)
	return all
}

// left is a file as a power cut leaves it: whole if it was synced behind its last write.
func (n *node) left(at int) Left {
	if n.folder {
		return Left{Folder: true}
	}
	l := Left{Data: n.data}
	for _, write := range n.writes {
		if !between(n.syncs, write, at) { // also what is written later only: the bytes of then are not in Data
			l.Torn = true
		}
	}
	return l
}
