// Package gguf reads and writes GGUF, the file format of llama.cpp (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): metadata,
// the list of tensors, then their data, in blocks of one of many quantised types. Versions 2 and 3, little endian. Files are mapped and
// tensors are views; Dequantise turns blocks into float32 exactly as the format's own library does.
package gguf

import (
	"errors"
	"fmt"
	"slices"

	"avssnative/failure"
	"avssnative/internal/mapped"
)

const (
	magic = "GGUF"

	defaultAlignment = 32
	maxAlignment     = 1 << 20
	maxDimensions    = 4

	// A dimension is at most 8 times the file's bytes, more than any type puts into one; a tensor of no elements may have others up to this.
	freeDimension = 1 << 20
)

// KV is one entry of the metadata. Value is a uint8, int8, uint16, int16, uint32, int32, float32, bool, string, uint64, int64 or float64,
// or a slice of one of these, or an []any that holds such slices.
type KV struct {
	Key   string
	Value any
}

// Tensor is one named tensor in a file.
type Tensor struct {
	Name   string
	Type   Type
	Shape  []int64 // outermost dimension first, as PyTorch prints it; the file has it the other way round
	Data   []byte  // read-only view, valid until the File is closed
	Offset int64   // of the first byte, from the beginning of the file

	origin *mapped.File
}

// Advise tells the kernel that the tensor's bytes will be needed soon, or no longer.
func (t Tensor) Advise(advice mapped.Advice) error {
	return t.origin.Advise(t.Offset, int64(len(t.Data)), advice)
}

// RowLength returns the elements of a row, the innermost dimension.
func (t Tensor) RowLength() int64 { return lastOf(t.Shape) }

// RowBytes returns the bytes of a row.
func (t Tensor) RowBytes() int64 {
	elements, bytes := t.Type.Block()
	return t.RowLength() / int64(elements) * int64(bytes)
}

// File is one open GGUF file, or the parts of one that was split.
type File struct {
	path  string
	parts []part
	found *contents // of all parts together
	keys  map[string]int
	names map[string]int
}

// Open maps and checks the file at path. A truncated file is an error here. Of a file in several parts, any may be named: all are opened,
// and it reads as if it were one (see parts.go).
func Open(path string) (*File, error) {
	parts, err := openParts(path)
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	f := &File{path: path, parts: parts, keys: map[string]int{}, names: map[string]int{}}
	if f.found, err = together(parts); err != nil {
		f.Close()
		return nil, fmt.Errorf("gguf: %w", err)
	}
	for i, entry := range f.found.metadata {
		f.keys[entry.Key] = i
	}
	for i := range f.found.tensors {
		f.names[f.found.tensors[i].Name] = i
	}
	return f, nil
}

// Path returns the name the file was opened by.
func (f *File) Path() string { return f.path }

// Paths returns the names of the file's parts; one name where it is in one.
func (f *File) Paths() []string {
	var paths []string
	for _, p := range f.parts {
		paths = append(paths, p.mapping.Path())
	}
	return paths
}

// Size returns the length in bytes, of all parts.
func (f *File) Size() int64 {
	size := int64(0)
	for _, p := range f.parts {
		size += int64(len(p.mapping.Bytes()))
	}
	return size
}

// Header returns everything before the data, metadata and the list of tensors; of several parts, one after the other. Of one part it is a
// view like Tensor.Data.
func (f *File) Header() []byte {
	if len(f.parts) == 1 {
		return f.parts[0].header()
	}
	var all []byte
	for _, p := range f.parts {
		all = append(all, p.header()...)
	}
	return all
}

// Version returns the format's version, 2 or 3.
func (f *File) Version() int { return int(f.found.version) }

// Alignment returns the multiple at which tensors begin, in bytes.
func (f *File) Alignment() int64 { return f.found.alignment }

// Metadata returns the entries in the file's order. Of several parts they are the first part's, without those that number the parts.
func (f *File) Metadata() []KV { return f.found.metadata }

// Tensors returns the tensors in the file's order, part by part.
func (f *File) Tensors() []Tensor { return f.found.tensors }

// Lookup returns the tensor of that name.
func (f *File) Lookup(name string) (Tensor, bool) {
	i, ok := f.names[name]
	if !ok {
		return Tensor{}, false
	}
	return f.found.tensors[i], true
}

// Get returns the value of a key. present is false where the file has no such key; a value of another type is an error.
func Get[T any](f *File, key string) (value T, present bool, err error) {
	i, present := f.keys[key]
	if !present {
		return value, false, nil
	}
	value, ok := f.found.metadata[i].Value.(T)
	if !ok {
		return value, true, fmt.Errorf("gguf: %s: %s is of type %T, want %T", f.Path(), key, f.found.metadata[i].Value, value)
	}
	return value, true, nil
}

// Integer returns the value of a key that holds an integer of any width, since writers differ.
func (f *File) Integer(key string) (value int64, present bool, err error) {
	i, present := f.keys[key]
	if !present {
		return 0, false, nil
	}
	value, ok := integer(f.found.metadata[i].Value)
	if !ok {
		return 0, true, fmt.Errorf("gguf: %s: %s is a %T, want an integer below 2^63", f.Path(), key, f.found.metadata[i].Value)
	}
	return value, true, nil
}

func integer(value any) (int64, bool) {
	switch v := value.(type) {
	case uint8:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int32:
		return int64(v), true
	case uint64:
		return int64(v), int64(v) >= 0
	case int64:
		return v, true
	}
	return 0, false
}

// Check returns an error that names the file if it, or a part of it, was cut short or changed on disk since it was opened; see
// mapped.File.Check. Whoever has computed with its tensors asks before trusting what came of them.
func (f *File) Check() error {
	for _, p := range f.parts {
		if err := p.mapping.Check(); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the mappings; every Tensor.Data of the file is invalid from then on.
func (f *File) Close() error {
	var all []error
	for _, p := range f.parts {
		all = append(all, p.mapping.Close())
	}
	return errors.Join(all...)
}

// contents is what a file's bytes say.
type contents struct {
	version   uint32
	alignment int64
	header    int // bytes before the data's padding
	metadata  []KV
	tensors   []Tensor
}

// parse reads a whole file.
func parse(file []byte) (*contents, error) {
	c := &cursor{data: file}
	if found := c.take(4); c.err == nil && string(found) != magic {
		return nil, fmt.Errorf("begins with %q, want %q", found, magic)
	}
	f := &contents{version: c.uint32(), alignment: defaultAlignment}
	switch {
	case c.err != nil:
	case f.version == 2<<24 || f.version == 3<<24:
		return nil, failure.Unsupported.Errorf("written big endian, which is not read here")
	case f.version != 2 && f.version != 3:
		return nil, failure.Unsupported.Errorf("version %d, want 2 or 3", f.version)
	}
	tensors, entries := c.uint64(), c.uint64()
	if err := f.readMetadata(c, entries); err != nil {
		return nil, err
	}
	if err := f.readTensors(c, tensors); err != nil {
		return nil, err
	}
	f.header = c.at
	return f, f.place(file)
}

func (f *contents) readMetadata(c *cursor, count uint64) error {
	// A key's length, its value's type and one byte are the least an entry takes.
	f.metadata = items(c, count, 13, func() (entry KV) {
		entry.Key = c.name()
		before := c.err
		entry.Value = c.value(c.uint32(), 0)
		if before == nil && c.err != nil {
			c.err = fmt.Errorf("metadata %.80q: %w", entry.Key, c.err)
		}
		return entry
	})
	seen := map[string]bool{}
	for _, entry := range f.metadata {
		if seen[entry.Key] {
			return fmt.Errorf("metadata %.80q: given twice", entry.Key)
		}
		seen[entry.Key] = true
		if entry.Key == "general.alignment" {
			value, ok := integer(entry.Value)
			if !ok || value < 1 || value > maxAlignment || value&(value-1) != 0 {
				return fmt.Errorf("general.alignment is %.80s, want a power of two up to %d", fmt.Sprint(entry.Value), maxAlignment)
			}
			f.alignment = value
		}
	}
	return c.err
}

func (f *contents) readTensors(c *cursor, count uint64) error {
	// A name's length, the number of dimensions, the type and the offset.
	f.tensors = items(c, count, 24, func() Tensor {
		t := Tensor{Name: c.name()}
		dimensions := c.uint32()
		if dimensions > maxDimensions {
			c.fail("tensor %.80q: %d dimensions, want at most %d", t.Name, dimensions, maxDimensions)
			return t
		}
		t.Shape = []int64{}
		for range dimensions {
			dimension := c.uint64()
			if dimension > max(8*uint64(len(c.data)), freeDimension) {
				c.fail("tensor %.80q: a dimension of %d in a file of %d bytes: truncated", t.Name, dimension, len(c.data))
			}
			t.Shape = append(t.Shape, int64(dimension))
		}
		slices.Reverse(t.Shape)
		t.Type = Type(c.uint32())
		t.Offset = int64(c.uint64())
		if t.Offset < 0 || t.Offset%f.alignment != 0 {
			c.fail("tensor %.80q: offset %d, want a multiple of %d", t.Name, uint64(t.Offset), f.alignment)
		}
		return t
	})
	seen := map[string]bool{}
	for _, t := range f.tensors {
		if seen[t.Name] {
			return fmt.Errorf("tensor %.80q: named twice", t.Name)
		}
		seen[t.Name] = true
	}
	return c.err
}

// place sets the tensors' views and checks that they lie in the file and apart from each other.
func (f *contents) place(file []byte) error {
	start := padded(int64(f.header), f.alignment)
	data := max(int64(len(file))-start, 0)
	order := make([]*Tensor, len(f.tensors))
	for i := range f.tensors {
		t := &f.tensors[i]
		order[i] = t
		size, err := t.Type.Size(t.Shape)
		if err != nil {
			return fmt.Errorf("tensor %.80q: %w", t.Name, err)
		}
		if size > 0 && (t.Offset > data || size > data-t.Offset) {
			return fmt.Errorf("tensor %.80q: %d bytes from %d of the data, which has %d: truncated", t.Name, size, t.Offset, data)
		}
		if size == 0 { // it may stand at the very end, beyond a last padding that was not written
			t.Offset = min(t.Offset, data)
			t.Data = []byte{}
		} else {
			t.Data = file[start+t.Offset : start+t.Offset+size : start+t.Offset+size]
		}
		t.Offset = min(t.Offset+start, int64(len(file)))
	}
	slices.SortStableFunc(order, func(a, b *Tensor) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	var last *Tensor
	for _, t := range order {
		if len(t.Data) == 0 {
			continue
		}
		if last != nil && t.Offset < last.Offset+int64(len(last.Data)) {
			return fmt.Errorf("tensor %.80q: begins inside %.80q", t.Name, last.Name)
		}
		last = t
	}
	return nil
}

func padded(size, alignment int64) int64 { return (size + alignment - 1) / alignment * alignment }
