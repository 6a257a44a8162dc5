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
}

// Tensors finds a model's stored tensors.
type Tensors interface {
	Lookup(name string) (Stored, bool)
	Names() []string // in file order
	// Prefetch brings the tensors' bytes into memory, Discard says that they will not be needed again soon. Both only cost or save time.
	Prefetch(names []string)
	Discard(names []string)
	Close() error
}
