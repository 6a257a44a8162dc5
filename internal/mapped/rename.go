package mapped

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// placeNew gives what is at from the name to, which nothing has: an error that is fs.ErrExist if something has it after all.
func placeNew(from, to string) error {
	err := noReplace(from, to)
	if errors.Is(err, errors.ErrUnsupported) {
		return placeSlowly(from, to)
	}
	return err
}

// placeSlowly is placeNew where rename cannot be told to replace nothing. A file is linked, which never replaces anything. What cannot be
// linked is renamed after a look, so that what appears in that moment is replaced if it is a file, or a folder with nothing in it.
func placeSlowly(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		if err := os.Link(from, to); err == nil {
			return os.Remove(from)
		} else if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if _, err := os.Lstat(to); err == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(from, to)
}

// replaceSlowly puts from in the place of to where two names cannot be exchanged. A file is replaced by a rename, at any moment old or
// new. A folder cannot be, so the old one waits at aside meanwhile; clearWorkshops puts it back after a kill between the two renames.
func replaceSlowly(from, to, aside string) error {
	info, err := os.Lstat(to)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return os.Rename(from, to)
	}
	if err := os.MkdirAll(filepath.Dir(aside), 0o700); err != nil {
		return err
	}
	if err := os.Rename(to, aside); err != nil {
		return err
	}
	if err := placeSlowly(from, to); err != nil {
		return errors.Join(err, placeSlowly(aside, to))
	}
	return nil
}
