package weights

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"avssnative/engine/device"
	"avssnative/internal/gguf"
	"avssnative/internal/mapped"
)

// GGUF are the tensors of one GGUF file. It shows the file's tensors under the names that the family's file in this package asks for:
// renamed, and cut along the outermost dimension where a family keeps apart what GGUF stacks (queries, keys and values; experts). All of
// them stay views of the mapped file.
type GGUF struct {
	file   *gguf.File
	names  []string
	views  map[string]ggufView
	tables []Stored
}

// ggufView is a stored tensor, or some of its rows, under another name.
type ggufView struct {
	stored Stored
	tensor gguf.Tensor // the same bytes
}

// NewGGUF shows nothing of a file yet.
func NewGGUF(file *gguf.File) *GGUF {
	return &GGUF{file: file, views: map[string]ggufView{}}
}

// Add shows a tensor under a name.
func (s *GGUF) Add(name string, t gguf.Tensor) error {
	if _, there := s.views[name]; there {
		return fmt.Errorf("tensor %.80q: stands for %.80q, which the file has twice", t.Name, name)
	}
	shape := make([]int, len(t.Shape))
	for i, n := range t.Shape {
		if n < 1 || n > math.MaxInt32 {
			return fmt.Errorf("tensor %.80q: shape %v, want sizes from 1 to 2^31", t.Name, t.Shape)
		}
		shape[i] = int(n)
	}
	s.names = append(s.names, name)
	s.views[name] = ggufView{Stored{Name: name, Type: device.DType(t.Type.String()), Shape: shape, Data: t.Data}, t}
	return nil
}

// Rename shows a tensor that has one name under another; what has no such name is left alone.
func (s *GGUF) Rename(from, to string) {
	at := slices.Index(s.names, from)
	if at < 0 {
		return
	}
	view := s.views[from]
	delete(s.views, from)
	view.stored.Name, s.names[at], s.views[to] = to, to, view
}

// Table notes a tensor of the file that has become part of the configuration: it has no name here, but a place and a size in the file.
func (s *GGUF) Table(t gguf.Tensor) {
	var shape []int
	for _, n := range t.Shape {
		shape = append(shape, int(n))
	}
	s.tables = append(s.tables, Stored{Name: t.Name, Type: device.DType(t.Type.String()), Shape: shape, Data: t.Data})
}

// File lists what the file itself holds: the named tensors without those that Make shows, and the tables.
func (s *GGUF) File() []Stored {
	all := slices.Clone(s.tables)
	for _, name := range s.names {
		if view := s.views[name]; view.tensor.Name != "" {
			all = append(all, view.stored)
		}
	}
	return all
}

// Origin is the file's tensor of which a name shows all or some rows, as far as it is shown.
func (s *GGUF) Origin(name string) (gguf.Tensor, bool) {
	view, found := s.views[name]
	return view.tensor, found && view.tensor.Name != ""
}

// Make shows float32 values that no tensor of the file holds.
func (s *GGUF) Make(name string, shape []int, values []float32) error {
	if _, there := s.views[name]; there {
		return fmt.Errorf("tensor %.80q: in the file, and in its metadata too", name)
	}
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	s.names = append(s.names, name)
	s.views[name] = ggufView{stored: Stored{Name: name, Type: device.F32, Shape: shape, Data: data}}
	return nil
}

// cut is count of a tensor's outermost entries from at on.
func cut(t gguf.Tensor, at, count int) (gguf.Tensor, error) {
	if len(t.Shape) == 0 || at < 0 || count < 1 || int64(at)+int64(count) > t.Shape[0] {
		return t, fmt.Errorf("tensor %.80q: shape %v, want at least %d rows", t.Name, t.Shape, at+count)
	}
	elements, bytes := t.Type.Block()
	inner := int64(1)
	for _, n := range t.Shape[1:] {
		inner *= n
	}
	if elements == 0 || inner%int64(elements) != 0 {
		return t, fmt.Errorf("tensor %.80q: rows of %d are no whole blocks of %s", t.Name, inner, t.Type)
	}
	size := inner / int64(elements) * int64(bytes)
	first, end := int64(at)*size, int64(at+count)*size
	t.Data, t.Offset = t.Data[first:end:end], t.Offset+first
	t.Shape = append([]int64{int64(count)}, t.Shape[1:]...)
	return t, nil
}

// split shows a tensor's rows under several names, one after the other.
func (s *GGUF) Split(t gguf.Tensor, names []string, rows []int) error {
	at := 0
	for i, name := range names {
		part, err := cut(t, at, rows[i])
		if err == nil {
			err = s.Add(name, part)
		}
		if err != nil {
			return err
		}
		at += rows[i]
	}
	if int64(at) != t.Shape[0] {
		return fmt.Errorf("tensor %.80q: %d rows, want %d", t.Name, t.Shape[0], at)
	}
	return nil
}

// mostStacked bounds the entries of a stack, far above the experts of any published model.
const mostStacked = 1 << 12

// stack shows each entry of a stack under the name that has its number in the place of %e.
func (s *GGUF) Stack(t gguf.Tensor, name string) error {
	if len(t.Shape) < 2 || t.Shape[0] > mostStacked {
		return fmt.Errorf("tensor %.80q: shape %v, want a stack of at most %d", t.Name, t.Shape, mostStacked)
	}
	for e := range int(t.Shape[0]) {
		part, err := cut(t, e, 1)
		if err != nil {
			return err
		}
		part.Shape = part.Shape[1:]
		if err := s.Add(strings.Replace(name, "%e", strconv.Itoa(e), 1), part); err != nil {
			return err
		}
	}
	return nil
}

func (s *GGUF) Lookup(name string) (Stored, bool) {
	view, found := s.views[name]
	return view.stored, found
}

func (s *GGUF) Names() []string { return s.names }

func (s *GGUF) Prefetch(names []string) { s.advise(names, mapped.Populate) }

func (s *GGUF) Discard(names []string) { s.advise(names, mapped.DontNeed) }

func (s *GGUF) advise(names []string, advice mapped.Advice) {
	for _, name := range names {
		if view, found := s.views[name]; found && len(view.tensor.Data) > 0 {
			// Advice that the system does not take costs time, never correctness.
			_ = view.tensor.Advise(advice)
		}
	}
}

func (s *GGUF) Check() error { return s.file.Check() }

func (s *GGUF) Close() error { return s.file.Close() }
