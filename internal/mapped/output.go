package mapped

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Output is something being written for a place. It is made in a folder of its own beside the place, whose name begins with a dot and
// ends in .incomplete (see workshop), and takes its name when it is whole.
type Output struct {
	place Place
	spot  spot
	work  *workshop
}

// Begin judges the place as Check does and returns an output to be made at Path. Discard must follow.
func (p Place) Begin() (*Output, error) {
	found, err := p.find()
	if err != nil {
		return nil, err
	}
	if err := clearWorkshops(found.path); err != nil {
		return nil, p.refuse(err, "%v", err)
	}
	work, err := openWorkshop(found.path)
	if err != nil {
		return nil, p.refuse(err, "%v", err)
	}
	// A name that is too long or has letters this file system refuses is found now.
	if err := work.try(); err != nil {
		return nil, p.refuse(errors.Join(err, work.close()), "%v", err)
	}
	return &Output{place: p, spot: found, work: work}, nil
}

// Path is where the output is to be made: nothing is there yet, its folder is, and its last element is the final name's.
func (o *Output) Path() string { return o.work.made() }

// Commit syncs what was made and gives it its name. What has the name by then is judged again; a former output stands there until the new
// one does, at any moment one of them, where the system can exchange two names (Linux, macOS; a file everywhere). On an error what
// stands there is as it was.
func (o *Output) Commit() error {
	if o.work == nil {
		return fmt.Errorf("%s: already written or discarded", o.place.Path)
	}
	made, err := os.Lstat(o.Path())
	if err != nil {
		return fmt.Errorf("%s: %w", o.place.Path, err)
	}
	if made.IsDir() != o.place.Folder || !made.IsDir() && !made.Mode().IsRegular() {
		return fmt.Errorf("%s: %s was made", o.place.Path, kind(made.Mode()))
	}
	if err := syncAll(o.Path()); err != nil {
		return fmt.Errorf("%s: %w", o.place.Path, err)
	}
	for tries := 0; ; tries++ {
		now, err := o.place.find()
		if err != nil {
			return err
		}
		if now.folder != o.spot.folder {
			return o.place.refuse(nil, "leads to another folder now")
		}
		if now.stands == nil {
			err = placeNew(o.Path(), now.path)
		} else {
			err = o.replace(now)
		}
		if errors.Is(err, fs.ErrExist) && o.place.shared && tries < mostTries {
			continue // another writer of the same file came first: what it wrote is judged and replaced
		}
		if errors.Is(err, fs.ErrExist) {
			return o.place.refuse(err, "something appeared there meanwhile, which stays")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", o.place.Path, err)
		}
		if err := syncFolder(now.folder); err != nil {
			return errors.Join(fmt.Errorf("%s: written, but a power cut may take it: %w", o.place.Path, err), o.Discard())
		}
		break
	}
	if err := o.Discard(); err != nil {
		return fmt.Errorf("%s: written, but what was there before could not be removed: %w", o.place.Path, err)
	}
	return nil
}

// mostTries bounds how often a shared place is taken again.
const mostTries = 100

// replace puts what was made in the place of what was judged, and nothing else.
func (o *Output) replace(judged spot) error {
	err := exchange(o.Path(), judged.path)
	if errors.Is(err, errors.ErrUnsupported) {
		return replaceSlowly(o.Path(), judged.path, o.work.old())
	}
	if err != nil {
		return err
	}
	// Between judging and exchanging, somebody may have put another thing there.
	if came, err := os.Lstat(o.Path()); err != nil || !os.SameFile(came, judged.stands) {
		return errors.Join(fs.ErrExist, err, exchange(o.Path(), judged.path))
	}
	return nil
}

// Discard removes what is left of the making. After the first call, or after Commit, it does nothing.
func (o *Output) Discard() error {
	if o.work == nil {
		return nil
	}
	work := o.work
	o.work = nil
	return work.close()
}

// syncAll writes a file, or a folder with all that is in it, through to the disk.
func syncAll(path string) error {
	return filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return syncFolder(path)
		case !entry.Type().IsRegular():
			return nil
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		err = file.Sync()
		if runtime.GOOS == "windows" { // which syncs only what is open for writing; closing is all there is
			err = nil
		}
		return errors.Join(err, file.Close())
	})
}

// syncFolder writes a folder's list of names through. Where the system cannot sync folders, or this user may not list one, the order in which
// the file system writes is all there is.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = folder.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, folder.Close())
}
