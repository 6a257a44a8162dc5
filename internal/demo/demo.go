// Package demo is the model inside the program: what `avssnative run` works on when it is given nothing, so that a new user sees scores, a
// ranking and what a pruned model lost within seconds, with nothing to download. Its texts are package smallworld's.
//
// The model is tiny16, a 16-layer Llama of 3.2 million parameters trained for this project; model/README.md says on what, and what it
// can do.
package demo

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"avssnative/internal/home"
	"avssnative/internal/mapped"
)

//go:embed model
var files embed.FS

// Name is how a person asks for the model.
const Name = "demo"

// Folder returns a folder that holds the model as files, which can be mapped: a folder named after their hash in the user's cache
// folder. Files that are not there yet, or are not what they should be, are written; each appears whole or not at all, so any number of
// programs may do this at the same time.
func Folder() (string, error) {
	cache, err := home.Cache()
	if err != nil {
		return "", fmt.Errorf("demo: no folder to unpack the model in (%w); set XDG_CACHE_HOME to one that can be written", err)
	}
	folder, err := unpack(filepath.Join(cache, "avssnative"))
	if err != nil {
		return "", fmt.Errorf("demo: unpacking the model: %w; set XDG_CACHE_HOME to a folder that can be written", err)
	}
	return folder, nil
}

func unpack(base string) (string, error) {
	names, hash, err := fingerprint()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(base, "demo-"+hash[:16])
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	for _, name := range names {
		data, err := files.ReadFile(path.Join("model", name))
		if err != nil {
			return "", err
		}
		if err := place(filepath.Join(folder, name), data); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// fingerprint lists the model's files and hashes their names, sizes and bytes.
func fingerprint() ([]string, string, error) {
	entries, err := fs.ReadDir(files, "model")
	if err != nil {
		return nil, "", err
	}
	sum := sha256.New()
	var names []string
	for _, entry := range entries {
		data, err := files.ReadFile(path.Join("model", entry.Name()))
		if err != nil {
			return nil, "", err
		}
		names = append(names, entry.Name())
		fmt.Fprintf(sum, "%s %d\n", entry.Name(), len(data))
		sum.Write(data)
	}
	return names, hex.EncodeToString(sum.Sum(nil)), nil
}

// place makes sure that a file holds exactly data. A file that does is left alone; otherwise a new one takes its place at once, so that
// whoever has the old one mapped keeps it. Of several programs that find none the first one's file stays: the others may be reading it already.
func place(file string, data []byte) error {
	if right, err := holds(file, data); err != nil || right {
		return err
	}
	err := mapped.Place{Path: file, Force: true, Former: func(path string) error { // what another program has put there since is none to replace
		right, err := holds(path, data)
		if right {
			err = fs.ErrExist
		}
		return err
	}}.Write(func(path string) error { return os.WriteFile(path, data, 0o644) })
	if errors.Is(err, fs.ErrExist) {
		if right, failed := holds(file, data); failed != nil || right {
			return failed
		}
	}
	return err
}

// holds says whether there is a regular file of exactly these bytes.
func holds(file string, data []byte) (bool, error) {
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) {
		return false, err
	}
	found, err := os.ReadFile(file)
	return bytes.Equal(found, data), err
}
