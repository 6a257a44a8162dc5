package weights

import (
	"avssnative/engine/device"
)

// Stored is a tensor as its file holds it: a view, never a copy.
type Stored struct {
	Name  string
	Type  device.DType
	Shape []int
	Data  []byte
	// Scales multiply values of eight bits; nil: they are what their type says.
	Scales *Scales

	fault error // what is wrong with the scales
}

// Tensors finds a model's stored tensors.
type Tensors interface {
	Lookup(name string) (Stored, bool)
	Names() []string // in file order
	// Prefetch brings the tensors' bytes into memory, Discard says that they will not be needed again soon. Both only cost or save time.
	Prefetch(names []string)
	Discard(names []string)
	// Check is an error that names the file where one was cut short or changed since it was opened: what was computed from it means nothing.
	Check() error
	Close() error
}

// File lists the tensors of a model's files, whatever of them has become configuration or is made of it.
func File(s Tensors) []Stored {
	if f, ok := s.(interface{ File() []Stored }); ok {
		return f.File()
	}
	var all []Stored
	for _, name := range s.Names() {
		stored, _ := s.Lookup(name)
		all = append(all, stored)
	}
	return all
}
