package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"avssnative/internal/mapped"
)

// A large file is published in parts NAME-00001-of-0000N.gguf, each a file of the format by itself (llama.cpp, tools/gguf-split): split.no
// numbers it from 0, split.count says how many there are, split.tensors.count how many tensors they hold together. The first has the
// metadata, the others nothing but these three.
const (
	splitNumber  = "split.no"
	splitCount   = "split.count"
	splitTensors = "split.tensors.count"

	maxParts   = 99999 // five digits
	maxTensors = 1<<31 - 1
)

var partName = regexp.MustCompile(`^(.*)-([0-9]{5})-of-([0-9]{5})\.gguf$`)

// part is one mapped file and what its bytes say.
type part struct {
	mapping *mapped.File
	found   *contents
}

func (p part) header() []byte { return p.mapping.Bytes()[:p.found.header] }

// number returns an entry of the metadata that counts something, 0 where there is none.
func (p part) number(key string, most int64) (int64, error) {
	for _, entry := range p.found.metadata {
		if entry.Key != key {
			continue
		}
		value, ok := integer(entry.Value)
		if !ok || value < 0 || value > most {
			return 0, fmt.Errorf("%s: %s is %.80s, want a number up to %d", p.mapping.Path(), key, fmt.Sprint(entry.Value), most)
		}
		return value, nil
	}
	return 0, nil
}

// openPart maps and reads one file.
func openPart(path string) (part, error) {
	mapping, err := mapped.Open(path)
	if err != nil {
		return part{}, err
	}
	found, err := parse(mapping.Bytes())
	if changed := mapping.Check(); changed != nil {
		mapping.Close()
		return part{}, changed
	}
	if err != nil {
		mapping.Close()
		return part{}, fmt.Errorf("%s: %w", path, err)
	}
	for i := range found.tensors {
		found.tensors[i].origin = mapping
	}
	return part{mapping, found}, nil
}

// openParts opens the file at path and, where its metadata says that it is one of several, the others beside it. They come in order.
func openParts(path string) (parts []part, err error) {
	named, err := openPart(path)
	if err != nil {
		return nil, err
	}
	parts = []part{named}
	defer func() {
		if err == nil {
			return
		}
		for _, p := range parts {
			p.mapping.Close()
		}
		parts = nil
	}()
	count, err := named.number(splitCount, maxParts)
	if err != nil || count <= 1 {
		return parts, err
	}
	at, err := named.number(splitNumber, count-1)
	if err != nil {
		return parts, err
	}
	pieces := partName.FindStringSubmatch(filepath.Base(path))
	if end := fmt.Sprintf("-%05d-of-%05d.gguf", at+1, count); pieces == nil || !strings.HasSuffix(path, end) {
		return parts, fmt.Errorf("%s: one of %d parts, but its name does not end in %s, so the others cannot be found", path, count, end)
	}
	all := make([]part, 0, count)
	for i := range count {
		if i == at {
			all = append(all, named)
			continue
		}
		other := filepath.Join(filepath.Dir(path), fmt.Sprintf("%s-%05d-of-%05d.gguf", pieces[1], i+1, count))
		p, err := openPart(other)
		if errors.Is(err, fs.ErrNotExist) {
			return parts, fmt.Errorf("%s: part %d of %d is missing, beside %s", other, i+1, count, path)
		}
		if err != nil {
			return parts, err
		}
		parts, all = append(parts, p), append(all, p)
		if number, err := p.number(splitNumber, maxParts); err != nil {
			return parts, err
		} else if number != i {
			return parts, fmt.Errorf("%s: named part %d of %d, but split.no says %d", other, i+1, count, number)
		}
		if others, err := p.number(splitCount, maxParts); err != nil {
			return parts, err
		} else if others != count {
			return parts, fmt.Errorf("%s: one of %d parts, want %d as %s says", other, others, count, path)
		}
	}
	parts = all
	return parts, nil
}

// together returns what all parts say, as one file would say it.
func together(parts []part) (*contents, error) {
	first := parts[0]
	if len(parts) == 1 {
		return first.found, nil
	}
	all := &contents{version: first.found.version, alignment: first.found.alignment}
	values := map[string]any{splitNumber: nil, splitCount: nil, splitTensors: nil}
	for _, entry := range first.found.metadata {
		if _, numbers := values[entry.Key]; !numbers {
			values[entry.Key] = entry.Value
			all.metadata = append(all.metadata, entry)
		}
	}
	in := map[string]string{}
	for _, p := range parts {
		path := p.mapping.Path()
		for _, entry := range p.found.metadata {
			value, known := values[entry.Key]
			if !known || value != nil && !reflect.DeepEqual(value, entry.Value) {
				return nil, fmt.Errorf("%s: metadata %.80q: not what the first part says, or not in it", path, entry.Key)
			}
		}
		for _, tensor := range p.found.tensors {
			if other, twice := in[tensor.Name]; twice {
				return nil, fmt.Errorf("%s: tensor %.80q: is in %s too", path, tensor.Name, other)
			}
			in[tensor.Name] = path
		}
		all.tensors = append(all.tensors, p.found.tensors...)
	}
	if want, err := first.number(splitTensors, maxTensors); err != nil {
		return nil, err
	} else if want != 0 && want != int64(len(all.tensors)) {
		return nil, fmt.Errorf("%s: %d tensors in %d parts, want %d as %s says", first.mapping.Path(), len(all.tensors), len(parts), want, splitTensors)
	}
	return all, nil
}
