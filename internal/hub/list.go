package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// List names the models that the cache holds whole, as Find takes them: org/name where that is its main branch, else org/name@revision.
func List(o Options) ([]string, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	folders, err := os.ReadDir(o.Cache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("hub: %w", err)
	}
	var names []string
	for _, folder := range folders {
		repository, is := strings.CutPrefix(folder.Name(), "models--")
		if !is {
			continue
		}
		repository = strings.Replace(repository, "--", "/", 1)
		refs := filepath.Join(o.Cache, folder.Name(), "refs")
		err := filepath.WalkDir(refs, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil // a model without refs, or that cannot be read, is none that can be named
			}
			revision, err := filepath.Rel(refs, path)
			if err != nil {
				return err
			}
			name := repository
			if revision != "main" {
				name += "@" + filepath.ToSlash(revision)
			}
			if _, err := Find(name, o); err == nil {
				names = append(names, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
	}
	slices.Sort(names)
	return names, nil
}
