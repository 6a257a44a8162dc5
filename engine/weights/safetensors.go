package weights

import (
	"strings"

	"avssnative/engine/device"
	"avssnative/internal/mapped"
	"avssnative/internal/safetensors"
)

// folderTensors are the tensors of a folder's safetensors files.
type folderTensors struct {
	set   *safetensors.Set
	names []string
}

func openSafetensors(folder string) (Tensors, error) {
	set, err := safetensors.OpenDir(folder)
	if err != nil {
		return nil, err
	}
	s := &folderTensors{set: set}
	for _, t := range set.Tensors() {
		s.names = append(s.names, t.Name)
	}
	return s, nil
}

func (s *folderTensors) Lookup(name string) (Stored, bool) {
	t, found := s.set.Lookup(name)
	if !found {
		return Stored{}, false
	}
	shape := make([]int, len(t.Shape))
	for i, n := range t.Shape {
		shape[i] = int(n)
	}
	return Stored{Name: name, Type: device.DType(strings.ToUpper(t.DType)), Shape: shape, Data: t.Data}, true
}

// Absent are the tensors that the index lists and no file holds, and the files they should be in.
func (s *folderTensors) Absent() map[string]string { return s.set.Absent() }

func (s *folderTensors) Names() []string { return s.names }

func (s *folderTensors) Prefetch(names []string) { s.advise(names, mapped.Populate) }

func (s *folderTensors) Discard(names []string) { s.advise(names, mapped.DontNeed) }

func (s *folderTensors) advise(names []string, advice mapped.Advice) {
	for _, name := range names {
		if t, found := s.set.Lookup(name); found {
			// Advice that the system does not take costs time, never correctness.
			_ = t.Advise(advice)
		}
	}
}

func (s *folderTensors) Check() error { return s.set.Check() }

func (s *folderTensors) Close() error { return s.set.Close() }
