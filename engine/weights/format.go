package weights

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A Format reads a folder's weight files, in the order of their names, to the tensors in them under the names that the model's family has for
// them. Where the tensors are views of the files, close ends that; it may be nil.
type Format func(paths []string) (tensors []Stored, close func() error, err error)

var formats = map[string]Format{}

// RegisterFormat makes folders readable whose weights lie in files with an extension, as ".npz", beside config.json. Packages register theirs in
// init. Safetensors come first where a folder has both.
func RegisterFormat(extension string, f Format) {
	if formats[extension] != nil || extension == ".safetensors" {
		panic("weights: two formats " + extension)
	}
	formats[extension] = f
}

// openRegistered opens a folder's files of a registered format; nil where there are none.
func openRegistered(folder string) (Tensors, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasSuffix(e.Name(), ".safetensors") }) {
		return nil, nil
	}
	for _, extension := range slices.Sorted(maps.Keys(formats)) {
		var paths []string
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), extension) {
				paths = append(paths, filepath.Join(folder, e.Name()))
			}
		}
		if len(paths) == 0 {
			continue
		}
		tensors, end, err := formats[extension](paths)
		if err != nil {
			return nil, err
		}
		l := &listed{views: map[string]Stored{}, end: end}
		for _, t := range tensors {
			if err := l.add(t); err != nil {
				return nil, closed(l, err)
			}
		}
		return l, nil
	}
	return nil, nil
}

// closed closes what an error makes useless; the error is what counts.
func closed(t Tensors, err error) error {
	_ = t.Close()
	return err
}

// listed are the tensors that a registered format has read.
type listed struct {
	names []string
	views map[string]Stored
	end   func() error
}

// add takes a tensor whose bytes are as many as its type and shape say.
func (l *listed) add(t Stored) error {
	if _, there := l.views[t.Name]; there {
		return fmt.Errorf("tensor %s: stored twice", t.Name)
	}
	values, size, err := t.Type.Block()
	if err != nil {
		return fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	count := 1
	for _, n := range t.Shape {
		if n < 0 || n > 0 && count > len(t.Data)/size*values/n {
			return fmt.Errorf("tensor %s: shape %v: more than %d bytes of %s hold", t.Name, t.Shape, len(t.Data), t.Type)
		}
		count *= n
	}
	if count%values != 0 || count/values*size != len(t.Data) {
		return fmt.Errorf("tensor %s: %d bytes, want %d for shape %v of %s", t.Name, len(t.Data), count/values*size, t.Shape, t.Type)
	}
	l.names, l.views[t.Name] = append(l.names, t.Name), t
	return nil
}

func (l *listed) Lookup(name string) (Stored, bool) {
	stored, found := l.views[name]
	return stored, found
}

func (l *listed) Names() []string { return l.names }

func (l *listed) Prefetch([]string) {}

func (l *listed) Discard([]string) {}

// Check has nothing to find: what a format has read is its own.
func (l *listed) Check() error { return nil }

func (l *listed) Close() error {
	if l.end == nil {
		return nil
	}
	return l.end()
}
