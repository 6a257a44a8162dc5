package mapped

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// A workshop is the folder in which an output is made, beside its place and so on the same file system:
//
//	.NAME.0123456789abcdef.incomplete/
//	    lock        held by the process that writes, as long as it lives
//	    made/NAME   the output, under its own name; after an exchange, what it replaced
//	    old/NAME    what is being replaced, where two names cannot be exchanged
//
// The lock tells the workshop of a killed process from one in use: the system drops it with the process, also in another container.
type workshop struct {
	folder string
	name   string // the output's
	lock   *os.File
}

const (
	workshopEnd  = ".incomplete"
	longestStem  = 160 // bytes of a name that a workshop's name repeats; file systems end at 255
	randomDigits = 16
)

// workshopStem is what the names of an output's workshops begin with.
func workshopStem(name string) string {
	if len(name) > longestStem {
		sum := sha256.Sum256([]byte(name))
		name = fmt.Sprintf("%s~%x", strings.ToValidUTF8(name[:longestStem-33], ""), sum[:16])
	}
	return "." + name + "."
}

// openWorkshop makes a workshop for the output at path and locks it. Where the file system has no locks, it goes without, and
// clearWorkshops leaves it alone.
func openWorkshop(path string) (*workshop, error) {
	parent, name := filepath.Split(path)
	for range 10 {
		w := &workshop{folder: fmt.Sprintf("%s%s%0*x%s", parent, workshopStem(name), randomDigits, rand.Uint64(), workshopEnd), name: name}
		if err := os.Mkdir(w.folder, 0o700); err != nil {
			return nil, err
		}
		lock, err := os.OpenFile(filepath.Join(w.folder, "lock"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrNotExist) { // another run took the empty folder for a leftover
			continue
		}
		if err != nil {
			return nil, errors.Join(err, os.Remove(w.folder))
		}
		w.lock = lock
		held, err := tryLock(lock)
		if !held && err == nil { // the same, a moment later
			lock.Close()
			continue
		}
		err = os.Mkdir(filepath.Join(w.folder, "made"), 0o700)
		if _, gone := os.Lstat(lock.Name()); gone != nil { // the same, before this run had the lock
			lock.Close()
			_ = os.Remove(filepath.Join(w.folder, "made"))
			_ = os.Remove(w.folder)
			continue
		}
		if err != nil {
			return nil, errors.Join(err, w.close())
		}
		w.began()
		return w, nil
	}
	return nil, fmt.Errorf("%s: no folder to work in lasts", parent)
}

func (w *workshop) made() string { return filepath.Join(w.folder, "made", w.name) }

func (w *workshop) old() string { return filepath.Join(w.folder, "old", w.name) }

// try makes and removes an entry of the output's name.
func (w *workshop) try() error {
	if err := os.Mkdir(w.made(), 0o700); err != nil {
		return err
	}
	return os.Remove(w.made())
}

// close removes the workshop. The lock goes last, so that what a second kill leaves is recognised too.
func (w *workshop) close() error {
	w.ended()
	if err := errors.Join(os.RemoveAll(filepath.Join(w.folder, "made")), os.RemoveAll(filepath.Join(w.folder, "old"))); err != nil {
		return errors.Join(err, w.lock.Close())
	}
	// Once the lock is let go, another writer of the same output may take the workshop for a dead one's and clear it.
	return errors.Join(w.lock.Close(), gone(os.Remove(w.lock.Name())), gone(os.Remove(w.folder)))
}

// gone takes what is not there for what was removed.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Tidy removes what killed runs left in a folder of the program's own, whatever they were making there; what living ones make stays. A write to
// the same name does so by itself, but a run killed behind the last write to a name leaves a folder that no later write comes across.
func Tidy(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name, hidden := strings.CutPrefix(entry.Name(), ".")
		end := len(name) - len(workshopEnd) - randomDigits - 1
		if !hidden || end < 1 || end >= longestStem { // of a longer name it has but a hash
			continue
		}
		if err := clearWorkshop(filepath.Join(folder, name[:end]), entry); err != nil {
			return err
		}
	}
	return nil
}

// clearWorkshops removes what killed runs left of the output at path.
func clearWorkshops(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := clearWorkshop(path, entry); err != nil {
			return err
		}
	}
	return nil
}

// clearWorkshop removes an entry beside the output at path if a killed run was making that output there. A folder that holds anything but a
// workshop's entries is not touched.
func clearWorkshop(path string, entry os.DirEntry) error {
	parent, name := filepath.Split(path)
	digits, begins := strings.CutPrefix(entry.Name(), workshopStem(name))
	digits, ends := strings.CutSuffix(digits, workshopEnd)
	if !begins || !ends || len(digits) != randomDigits || strings.Trim(digits, "0123456789abcdef") != "" || !entry.IsDir() {
		return nil
	}
	w := &workshop{folder: filepath.Join(parent, entry.Name()), name: name}
	if !w.ours() {
		return nil
	}
	lock := filepath.Join(w.folder, "lock")
	if info, err := os.Lstat(lock); errors.Is(err, fs.ErrNotExist) {
		_ = os.Remove(w.folder) // cut off before it was locked, or by a moment not locked yet: then its owner makes another
		return nil
	} else if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	var err error
	if w.lock, err = os.OpenFile(lock, os.O_RDWR, 0); err != nil {
		return nil // another user's
	}
	if held, err := tryLock(w.lock); !held || err != nil {
		w.lock.Close()
		return nil
	}
	if err := w.restore(path); err != nil {
		w.lock.Close()
		return err
	}
	// An owner who was about to lock it has begun in it meanwhile: he finds its lock gone, and removes it himself.
	if err := gone(w.close()); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// ours reports whether a folder has no entries but a workshop's.
func (w *workshop) ours() bool {
	entries, err := os.ReadDir(w.folder)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		switch entry.Name() {
		case "lock", "made", "old":
		default:
			return false
		}
	}
	return true
}

// restore puts back what was to be replaced when a kill came between the two renames of replaceSlowly.
func (w *workshop) restore(path string) error {
	if _, err := os.Lstat(w.old()); err != nil {
		return nil
	}
	if err := placeNew(w.old(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
