// Package safetensors reads and writes the safetensors format (https://huggingface.co/docs/safetensors): a JSON header that names each
// tensor's dtype, shape and bytes, then the bytes. Files are mapped, tensors are views, nothing is copied.
package safetensors

import (
	"fmt"
	"maps"

	"avssnative/internal/mapped"
)

// Tensor is one named tensor in a file. Its bytes are little endian, row major.
type Tensor struct {
	Name   string
	DType  string // as the file spells it: F32, BF16, …; may be one this package does not know
	Shape  []int64
	Data   []byte // read-only view, valid until the File or Set is closed; it need not lie at a multiple of the element size
	File   string // the path of the file it lies in
	Offset int64  // of the first byte, from the beginning of that file

	end    int64 // offset of the last byte + 1, used while the header is read
	origin *mapped.File
}

// Advise tells the kernel that the tensor's bytes will be needed soon, or no longer.
func (t Tensor) Advise(advice mapped.Advice) error {
	return t.origin.Advise(t.Offset, int64(len(t.Data)), advice)
}

// File is one open safetensors file.
type File struct {
	mapping *mapped.File
	found   *contents
	index   map[string]int
}

// Open maps and checks the file at path: a header of at most 100 MB, every name once, every byte of the data in exactly one tensor, sizes
// that follow from dtype and shape. A truncated file is an error here.
func Open(path string) (*File, error) {
	mapping, err := mapped.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	found, err := parse(mapping.Bytes())
	if changed := mapping.Check(); changed != nil {
		mapping.Close()
		return nil, fmt.Errorf("safetensors: %w", changed)
	}
	if err != nil {
		mapping.Close()
		return nil, fmt.Errorf("safetensors: %s: %w", path, err)
	}
	f := &File{mapping: mapping, found: found, index: make(map[string]int, len(found.tensors))}
	for i := range found.tensors {
		t := &found.tensors[i]
		t.File, t.origin = path, mapping
		f.index[t.Name] = i
	}
	return f, nil
}

// Path returns the name the file was opened by.
func (f *File) Path() string { return f.mapping.Path() }

// Size returns the file's length in bytes.
func (f *File) Size() int64 { return int64(len(f.mapping.Bytes())) }

// Header returns the header's JSON text with its padding, as it stands in the file. It is a view like Tensor.Data.
func (f *File) Header() []byte { return f.found.header }

// Tensors returns the tensors in the order of their bytes.
func (f *File) Tensors() []Tensor { return f.found.tensors }

// Lookup returns the tensor of that name.
func (f *File) Lookup(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.found.tensors[i], true
}

// Metadata returns a copy of the header's __metadata__; nil where there is none.
func (f *File) Metadata() map[string]string { return maps.Clone(f.found.metadata) }

// Check returns an error that names the file if it was cut short or changed on disk since it was opened; see mapped.File.Check. Whoever has
// computed with its tensors asks before trusting what came of them.
func (f *File) Check() error { return f.mapping.Check() }

// Close releases the mapping; every Tensor.Data of the file is invalid from then on.
func (f *File) Close() error { return f.mapping.Close() }
