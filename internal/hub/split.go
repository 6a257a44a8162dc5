package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tables of data sets. The hub keeps each public data set as parquet files under a revision of its own, whatever form it was published in, as
// CONFIG/SPLIT/0000.parquet (https://huggingface.co/docs/dataset-viewer/parquet).

// tables is that revision.
const tables = "refs/convert/parquet"

// Split names one split of a data set.
type Split struct {
	Repository string // org/name
	Config     string // "default": what the hub calls that of a data set which names none; "": the only one
	Split      string // "test"
}

// String is the split in a line.
func (s Split) String() string {
	config := s.Config
	if config == "" {
		config = "*"
	}
	return s.Repository + " " + config + "/" + s.Split
}

func (s Split) name() (Name, error) {
	name, err := Parse(s.Repository + "@" + tables)
	name.dataset = true
	if err == nil && (!plain(s.Split) || s.Config != "" && !plain(s.Config)) {
		err = fmt.Errorf("hub: %.60q of %s is no split", s.Config+"/"+s.Split, s.Repository)
	}
	return name, err
}

// FindSplit returns the file of a split that the cache holds. It asks no network. Where it is missing, errors.Is(err, ErrAbsent).
func FindSplit(s Split, o Options) (file string, err error) {
	name, err := s.name()
	if err != nil {
		return "", err
	}
	if o, err = o.filled(); err != nil {
		return "", err
	}
	return findSplit(name, s, o)
}

func findSplit(name Name, s Split, o Options) (string, error) {
	dir, err := snapshot(name, o)
	if err != nil {
		return "", err
	}
	var files []string
	configs, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("hub: %s: %w", s, err)
	}
	for _, config := range configs {
		found, err := os.ReadDir(filepath.Join(dir, config.Name(), s.Split))
		if err != nil {
			continue // a config without such a split
		}
		for _, file := range found {
			path := config.Name() + "/" + s.Split + "/" + file.Name()
			if _, err := os.Stat(filepath.Join(dir, path)); err == nil { // a link whose blob is gone does not count
				files = append(files, path)
			}
		}
	}
	file, err := s.pick(files)
	if err != nil {
		return "", fmt.Errorf("hub: %s: %w: %w (%s)", s, ErrAbsent, err, dir)
	}
	return filepath.Join(dir, filepath.FromSlash(file)), nil
}

// pick chooses the split's file among a repository's.
func (s Split) pick(files []string) (string, error) {
	var fit, configs []string
	for _, file := range files {
		parts := strings.Split(file, "/")
		if len(parts) != 3 || !strings.HasSuffix(file, ".parquet") || slices.ContainsFunc(parts, func(p string) bool { return !plain(p) }) {
			continue
		}
		configs = append(configs, parts[0]+"/"+parts[1])
		if parts[1] == s.Split && (s.Config == "" || parts[0] == s.Config) {
			fit = append(fit, file)
		}
	}
	slices.Sort(configs)
	switch configs = slices.Compact(configs); {
	case len(configs) == 0:
		return "", errors.New("no table CONFIG/SPLIT/0000.parquet is there")
	case len(fit) == 0:
		return "", fmt.Errorf("no such split; there are %.300s", strings.Join(configs, ", "))
	case len(fit) > 1:
		return "", fmt.Errorf("%d tables: %.300s; want one", len(fit), strings.Join(fit, ", "))
	}
	return fit[0], nil
}

// PullSplit brings the table of a split into the cache and returns its file, as Pull does with a model.
func PullSplit(ctx context.Context, s Split, o Options) (file string, err error) {
	name, err := s.name()
	if err != nil {
		return "", err
	}
	if o, err = o.filled(); err != nil {
		return "", err
	}
	if o.Offline {
		return findSplit(name, s, o)
	}
	p, err := newPuller(name, o)
	if err != nil {
		return "", err
	}
	if file, err = p.split(ctx, s); err != nil {
		return "", fmt.Errorf("hub: %s: %w", s, err)
	}
	return file, nil
}

func (p *puller) split(ctx context.Context, s Split) (string, error) {
	files, err := p.listing(ctx)
	if err != nil {
		return "", err
	}
	file, err := s.pick(files)
	if err != nil {
		return "", err
	}
	snapshot := filepath.Join(p.repository, "snapshots", p.commit)
	whole := filepath.Join(snapshot, filepath.FromSlash(file))
	for _, folder := range []string{filepath.Dir(whole), filepath.Dir(p.ref())} {
		clearLeftovers(folder)
	}
	if err := p.file(ctx, snapshot, file); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return whole, p.writeRef()
}
