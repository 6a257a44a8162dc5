package engine

import (
	"fmt"
	"strings"

	"avssnative/internal/mapped"
	"avssnative/internal/safetensors"
)

// safetensorsSource is a Source over a folder's safetensors files.
type safetensorsSource struct {
	set   *safetensors.Set
	names []string
}

func openSafetensors(folder string) (Source, error) {
	set, err := safetensors.OpenDir(folder)
	if err != nil {
		return nil, fmt.Errorf("engine: model %s: %w", folder, err)
	}
	s := &safetensorsSource{set: set}
	for _, t := range set.Tensors() {
		s.names = append(s.names, t.Name)
	}
	return s, nil
}

func (s *safetensorsSource) Lookup(name string) (Stored, bool) {
	t, found := s.set.Lookup(name)
	if !found {
		return Stored{}, false
	}
	shape := make([]int, len(t.Shape))
	for i, n := range t.Shape {
		shape[i] = int(n)
	}
	return Stored{Name: name, Type: DType(strings.ToUpper(t.DType)), Shape: shape, Data: t.Data}, true
}

func (s *safetensorsSource) Names() []string { return s.names }

func (s *safetensorsSource) Prefetch(names []string) { s.advise(names, mapped.Populate) }

func (s *safetensorsSource) Discard(names []string) { s.advise(names, mapped.DontNeed) }

func (s *safetensorsSource) advise(names []string, advice mapped.Advice) {
	for _, name := range names {
		if t, found := s.set.Lookup(name); found {
			// Advice that the system does not take costs time, never correctness.
			_ = t.Advise(advice)
		}
	}
}

func (s *safetensorsSource) Close() error { return s.set.Close() }
