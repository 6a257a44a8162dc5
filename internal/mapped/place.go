package mapped

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Place is where an output goes: what a program is told to write to, and what it may replace there. A command asks Check before it begins
// to work, so that hours of it are not lost to a name that was never free, and Begin or Write when there is something to write.
//
// Nothing is replaced without Force; with it, only an empty file or folder, or what Former takes for an output of the same kind. A link, a
// device, a pipe, a mounted folder, the root, the home, the working folder, what Reading names, and every folder that holds one of these
// stay whatever Force says.
type Place struct {
	Path    string
	Folder  bool     // the output is a folder; else a file
	Force   bool     // a former output may be replaced
	Reading []string // files and folders that are read meanwhile, such as the model, and what links in them lead to; a name of nothing is passed over

	// Former returns why what stands at path is no former output of the same kind, judged by what is in it; nil if it is one.
	// Without Former nothing that has bytes is replaced.
	Former func(path string) error
	shared bool // several processes write the same file here, each whole: what another has put there is replaced
}

// Refused is why nothing may be written at a place. Err is the system's word where it has one.
type Refused struct {
	Path string
	Why  string
	Err  error
}

func (r *Refused) Error() string { return r.Path + ": " + r.Why }

func (r *Refused) Unwrap() error { return r.Err }

func (p Place) refuse(err error, format string, values ...any) *Refused {
	return &Refused{Path: p.Path, Why: fmt.Sprintf(format, values...), Err: err}
}

// Check returns a *Refused unless the output can be written now: its parent is a folder that takes new entries, its name is one that the
// file system has, and nothing stands there that may not be replaced. It leaves nothing behind, and clears what a killed run left.
func (p Place) Check() error {
	output, err := p.Begin()
	if err != nil {
		return err
	}
	return output.Discard()
}

// Write is Begin, write to the path it is given, and Commit. An error of write comes back as it is, with nothing left.
func (p Place) Write(write func(path string) error) error {
	output, err := p.Begin()
	if err != nil {
		return err
	}
	if err := write(output.Path()); err != nil {
		if left := output.Discard(); left != nil {
			return errors.Join(err, left)
		}
		return err
	}
	return errors.Join(output.Commit(), output.Discard())
}

// spot is a place as the file system has it.
type spot struct {
	folder string // the parent, without links
	path   string // the output's, in that folder
	stands os.FileInfo
}

// find looks at the place and judges what stands there; spot.stands is nil where that is nothing.
func (p Place) find() (spot, error) {
	if p.Path == "" || strings.ContainsRune(p.Path, 0) {
		return spot{}, p.refuse(nil, "no name that a file can have")
	}
	if !p.Folder && os.IsPathSeparator(p.Path[len(p.Path)-1]) {
		return spot{}, p.refuse(nil, "the name of a folder, want a file's")
	}
	whole, err := filepath.Abs(p.Path)
	if err != nil {
		return spot{}, p.refuse(err, "%v", err)
	}
	parent := filepath.Dir(whole)
	if parent == whole {
		return spot{}, p.refuse(nil, "the root of the file system")
	}
	folder, err := filepath.EvalSymlinks(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return spot{}, p.refuse(err, "there is no folder %s to write it in", parent)
	}
	if err != nil {
		return spot{}, p.refuse(err, "%v", err)
	}
	inside, err := os.Stat(folder)
	if err != nil || !inside.IsDir() {
		return spot{}, p.refuse(err, "%s is no folder to write it in", parent)
	}
	s := spot{folder: folder, path: filepath.Join(folder, filepath.Base(whole))}
	stands, err := os.Lstat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return spot{}, p.refuse(err, "%v", err)
	}
	s.stands = stands
	return s, p.judge(s.path, stands, inside)
}

// judge returns why what stands at path, in the folder that inside describes, may not be replaced.
func (p Place) judge(path string, stands, inside os.FileInfo) error {
	folder, file := stands.IsDir(), stands.Mode().IsRegular()
	switch {
	case stands.Mode()&os.ModeSymlink != 0:
		return p.refuse(fs.ErrExist, "a link, which is never replaced: name what it leads to")
	case !folder && !file:
		return p.refuse(fs.ErrExist, "%s, which is never replaced", kind(stands.Mode()))
	case folder != p.Folder:
		return p.refuse(fs.ErrExist, "exists already, as %s; want a %s", kind(stands.Mode()), map[bool]string{true: "folder", false: "file"}[p.Folder])
	case folder && !sameDevice(stands, inside):
		return p.refuse(fs.ErrExist, "a mounted folder, which is never replaced")
	}
	if why := p.held(stands); why != "" {
		return p.refuse(fs.ErrExist, "%s, which is never replaced", why)
	}
	if !p.Force {
		return p.refuse(fs.ErrExist, "exists already; choose another name or add --force to replace it")
	}
	if empty(path, stands) {
		return nil
	}
	if p.Former == nil {
		return p.refuse(fs.ErrExist, "exists already and holds something else")
	}
	if err := p.Former(path); err != nil {
		return p.refuse(err, "--force replaces only what this program wrote there before: %v", err)
	}
	return nil
}

// held returns what of the user's what stands there is or holds; "" for nothing. Folders are told apart by what they are, not by their names.
func (p Place) held(stands os.FileInfo) string {
	home, _ := os.UserHomeDir()
	here, _ := os.Getwd()
	type named struct{ path, is, holds string }
	all := []named{{here, "the working folder", "holds the working folder"}, {home, "the home folder", "holds the home folder"}}
	for _, path := range p.Reading {
		all = append(all, named{path, "what is being read", "holds " + path + ", which is being read"})
		inside, _ := os.ReadDir(path) // the links of a folder: what they lead to is read as well
		for _, entry := range inside {
			if entry.Type()&os.ModeSymlink != 0 {
				leads := filepath.Join(path, entry.Name())
				all = append(all, named{leads, "what is being read", "holds what " + leads + " leads to, which is being read"})
			}
		}
	}
	for _, one := range all {
		path, err := filepath.EvalSymlinks(one.path)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if one.path == "" || err != nil {
			continue
		}
		for word := one.is; ; word = one.holds {
			if info, err := os.Stat(path); err == nil && os.SameFile(info, stands) {
				return word
			}
			above := filepath.Dir(path)
			if above == path {
				break
			}
			path = above
		}
	}
	return ""
}

// empty reports whether nothing is lost with what stands at path.
func empty(path string, stands os.FileInfo) bool {
	if !stands.IsDir() {
		return stands.Size() == 0
	}
	entries, err := os.ReadDir(path)
	return err == nil && len(entries) == 0
}
