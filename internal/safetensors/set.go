package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"avssnative/failure"
	"avssnative/internal/mapped"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// Set is the weights of one model: one file, or the shards that an index names.
type Set struct {
	files   []*File
	tensors []Tensor
	index   map[string]int
	absent  map[string]string
}

// OpenDir opens model.safetensors of a folder or, where there is none, the shards that model.safetensors.index.json names. Every
// tensor of a shard must be listed for it; what the index lists and its shard does not hold (published models list a tied head that was not
// saved) is told by Absent. A shard must be a file of that folder: a name with a separator and a link that leads out of the
// folder are refused (in a snapshot of the Hugging Face cache, links into the same repository's blobs are what it consists of, and pass).
func OpenDir(dir string) (*Set, error) {
	if _, err := os.Stat(filepath.Join(dir, singleName)); err == nil {
		return openShards(dir, []string{singleName}, nil)
	}
	text, err := mapped.ReadSmall(filepath.Join(dir, indexName), maxHeader)
	if errors.Is(err, os.ErrNotExist) {
		return nil, noWeights(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	shardOf, err := parseIndex(text)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", filepath.Join(dir, indexName), err)
	}
	var shards []string
	for _, shard := range shardOf {
		shards = append(shards, shard)
	}
	slices.Sort(shards)
	return openShards(dir, slices.Compact(shards), shardOf)
}

func openShards(dir string, names []string, shardOf map[string]string) (*Set, error) {
	s := &Set{index: map[string]int{}}
	fail := func(err error) (*Set, error) {
		s.Close()
		return nil, err
	}
	for _, name := range names {
		path, err := inside(dir, name)
		if err != nil {
			return fail(fmt.Errorf("safetensors: %s: shard %.300q: %w", dir, name, err))
		}
		file, err := Open(path)
		if err != nil {
			return fail(err)
		}
		s.files = append(s.files, file)
		for _, tensor := range file.Tensors() {
			if shardOf != nil && shardOf[tensor.Name] != name {
				return fail(fmt.Errorf("safetensors: %s: tensor %q: the index places it in %.300q", path, tensor.Name, shardOf[tensor.Name]))
			}
			s.index[tensor.Name] = len(s.tensors)
			s.tensors = append(s.tensors, tensor)
		}
	}
	for name, shard := range shardOf {
		if _, ok := s.index[name]; !ok {
			if s.absent == nil {
				s.absent = map[string]string{}
			}
			s.absent[name] = shard
		}
	}
	return s, nil
}

// inside returns the path of dir's own file name, or an error if name or a link leads elsewhere.
func inside(dir, name string) (string, error) {
	if name != filepath.Base(name) || strings.ContainsAny(name, `/\`) || !filepath.IsLocal(name) {
		return "", errors.New("not a plain file name")
	}
	path := filepath.Join(dir, name)
	folder, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return "", err
	}
	if target, err = filepath.Abs(target); err != nil {
		return "", err
	}
	if filepath.Dir(target) == folder {
		return path, nil
	}
	if snapshots := filepath.Dir(folder); filepath.Base(snapshots) == "snapshots" {
		if filepath.Dir(target) == filepath.Join(filepath.Dir(snapshots), "blobs") {
			return path, nil
		}
	}
	return "", fmt.Errorf("a link that leads out of the folder, to %s", target)
}

// parseIndex returns the file name of each tensor.
func parseIndex(text []byte) (map[string]string, error) {
	if !json.Valid(text) {
		return nil, errors.New("not valid JSON")
	}
	shardOf := map[string]string{}
	reader := headerReader{json.NewDecoder(bytes.NewReader(text))}
	found := 0
	err := reader.object(func(key string) error {
		if key != "weight_map" {
			var skipped json.RawMessage
			return reader.Decode(&skipped)
		}
		found++
		return reader.object(func(name string) error {
			if len(name) > maxName {
				return fmt.Errorf("a tensor's name has %d bytes, want at most %d", len(name), maxName)
			}
			if _, twice := shardOf[name]; twice {
				return fmt.Errorf("tensor %q: named twice", name)
			}
			shard, err := reader.text()
			if err != nil {
				return fmt.Errorf("tensor %q: %w", name, err)
			}
			shardOf[name] = shard
			return nil
		})
	})
	if err == nil && found != 1 {
		err = fmt.Errorf("%d weight_map, want 1", found)
	}
	if err == nil && len(shardOf) == 0 {
		err = errors.New("weight_map is empty")
	}
	return shardOf, err
}

func noWeights(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		switch name := entry.Name(); filepath.Ext(strings.TrimSuffix(name, ".index.json")) {
		case ".bin", ".pt", ".pth", ".ckpt", ".pkl":
			return failure.Unsupported.Errorf("safetensors: %s: only %s, a pickle, which is never loaded; convert it: python3 -c \"import sys; "+
				"from transformers import AutoModelForCausalLM as M; M.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])\" %s NEW_FOLDER", dir, name, dir)
		}
	}
	return failure.NotFound.Errorf("safetensors: %s: neither %s nor %s", dir, singleName, indexName)
}

// Files returns the open files, in the order of their names.
func (s *Set) Files() []*File { return s.files }

// Tensors returns all tensors: file by file in the order of the names, in each file in the order of their bytes.
func (s *Set) Tensors() []Tensor { return s.tensors }

// Absent returns the tensors that the index lists and no file holds, each with the name of the file it should be in; nil where there are
// none. Whether the model can do without them is for the model to say.
func (s *Set) Absent() map[string]string { return maps.Clone(s.absent) }

// Lookup returns the tensor of that name.
func (s *Set) Lookup(name string) (Tensor, bool) {
	i, ok := s.index[name]
	if !ok {
		return Tensor{}, false
	}
	return s.tensors[i], true
}

// Check returns an error that names the file if one of the files was cut short or changed on disk since it was opened, as File.Check does.
func (s *Set) Check() error {
	for _, file := range s.files {
		if err := file.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Close releases all mappings; every Tensor.Data of the set is invalid from then on.
func (s *Set) Close() error {
	var all []error
	for _, file := range s.files {
		all = append(all, file.Close())
	}
	return errors.Join(all...)
}
