package command

// What serve answers: a list of reports, their pages, and the other forms that lie beside them.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"

	"avssnative/internal/report"
	"avssnative/internal/report/escape"
)

// The bounds of looking for reports: how deep, how many of them, and how many files and folders on the way.
const (
	deepest     = 4
	mostReports = 500
	mostEntries = 100_000
)

// site is a folder of reports. Nothing outside of it can be reached: root refuses paths and links that lead out.
type site struct {
	root *os.Root
	name string // of the folder, as it was given
	host string // what a browser must have asked for
}

// otherForms are the files of a report that are given out as they lie there, and what they are.
var otherForms = map[string]string{
	report.FileName: "application/json", "report.csv": "text/csv; charset=utf-8", "report.md": "text/markdown; charset=utf-8",
}

// find gives the folders of reports, and in words what was left out; both are empty where there is none.
func (s *site) find() (dirs []string, more string, err error) {
	entries := 0
	err = fs.WalkDir(s.root.FS(), ".", func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			if at == "." {
				return err
			}
			return fs.SkipDir // a folder that may not be read holds no report for us
		}
		if entries++; entries > mostEntries || len(dirs) == mostReports {
			more = fmt.Sprintf("There are more: it was looked at %d reports and %d files and folders.", len(dirs), entries-1)
			return fs.SkipAll
		}
		if entry.IsDir() {
			if at != "." && (strings.HasPrefix(path.Base(at), ".") || strings.Count(at, "/") >= deepest) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Base(at) == report.FileName && entry.Type().IsRegular() {
			dirs = append(dirs, path.Dir(at))
		}
		return nil
	})
	return dirs, more, err
}

// ServeHTTP answers readers on this machine who ask for what they were shown.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", report.Policy+"; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Cache-Control", "no-store")
	_, port, _ := strings.Cut(s.host, ":")
	switch name := strings.TrimPrefix(r.URL.Path, "/"); {
	case r.Host != s.host && r.Host != "localhost:"+port: // a name that somebody else gave this address
		http.Error(w, "want http://"+s.host+"/", http.StatusForbidden)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "nothing can be changed here", http.StatusMethodNotAllowed)
	case name == "favicon.ico": // every browser asks
		w.WriteHeader(http.StatusNoContent)
	case name == "":
		s.list(w, r)
	case fs.ValidPath(name) && path.Base(name) == pageName:
		s.page(w, path.Dir(name))
	case fs.ValidPath(name) && otherForms[path.Base(name)] != "":
		s.form(w, r, name)
	default:
		http.Error(w, "no report is there", http.StatusNotFound)
	}
}

// list answers with the reports there are, or leads to the one that there is.
func (s *site) list(w http.ResponseWriter, r *http.Request) {
	dirs, more, err := s.find()
	if err != nil {
		s.fail(w, err)
		return
	}
	if len(dirs) == 1 {
		http.Redirect(w, r, addressOf(path.Join(dirs[0], pageName)), http.StatusFound)
		return
	}
	entries := make([]report.Entry, len(dirs))
	for i, dir := range dirs {
		at := addressOf(path.Join(dir, pageName))
		if found, err := s.read(dir); err != nil {
			entries[i] = report.Entry{Path: at, Name: dir, Problem: err.Error()}
		} else {
			entries[i] = report.NewEntry(at, dir, found)
		}
	}
	slices.SortStableFunc(entries, func(a, b report.Entry) int { return b.Created.Compare(a.Created) })
	s.answer(w, func(out io.Writer) error { return report.Index(out, s.name, entries, more) })
}

// page answers with the page of a report, made anew.
func (s *site) page(w http.ResponseWriter, dir string) {
	found, err := s.read(dir)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, found.HTML)
}

// form answers with a file of a report.
func (s *site) form(w http.ResponseWriter, r *http.Request, name string) {
	file, info, err := s.open(name)
	if err != nil {
		s.fail(w, err)
		return
	}
	defer file.Close()
	w.Header().Set("Content-Type", otherForms[path.Base(name)])
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// open opens a regular file of the folder.
func (s *site) open(name string) (*os.File, fs.FileInfo, error) {
	before, err := s.root.Stat(name) // what is no file, as a pipe, may keep whoever opens it waiting
	if err != nil {
		return nil, nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: no file (%w)", name, fs.ErrNotExist)
	}
	file, err := s.root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// read reads the report of a folder.
func (s *site) read(dir string) (*report.Report, error) {
	name := path.Join(dir, report.FileName)
	file, info, err := s.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info.Size() > report.MaxBytes {
		return nil, fmt.Errorf("%s: %d bytes, want %d at most", name, info.Size(), report.MaxBytes)
	}
	data, err := io.ReadAll(io.LimitReader(file, report.MaxBytes))
	if err != nil {
		return nil, err
	}
	found, err := report.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return found, nil
}

// answer sends a page whole, or says why there is none.
func (s *site) answer(w http.ResponseWriter, render func(io.Writer) error) {
	var b bytes.Buffer
	if err := render(&b); err != nil {
		s.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // whoever asked may have gone
}

// fail says why there is no answer, as text.
func (s *site) fail(w http.ResponseWriter, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		http.Error(w, "no report is there", http.StatusNotFound)
		return
	}
	http.Error(w, escape.Visible(err.Error()), http.StatusInternalServerError)
}

// addressOf is a path of the folder as it stands in an address.
func addressOf(name string) string { return (&url.URL{Path: "/" + name}).EscapedPath() }
