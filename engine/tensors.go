package engine

import (
	"fmt"
	"math"
	"slices"
)

// Stored is a tensor as its file holds it: a view, never a copy.
type Stored struct {
	Name  string
	Type  DType
	Shape []int
	Data  []byte
}

// Source finds a model's stored tensors.
type Source interface {
	Lookup(name string) (Stored, bool)
	Names() []string // in file order
	// Prefetch brings the tensors' bytes into memory, Discard says that they will not be needed again soon. Both only cost or save time.
	Prefetch(names []string)
	Discard(names []string)
	Close() error
}

// weight resolves a reference to the matrix it names.
func weight(s Source, r *Ref) (Weight, error) {
	stored, err := lookup(s, r)
	if err != nil {
		return Weight{}, err
	}
	w := Weight{Name: r.Name, Type: stored.Type, Out: r.Out, In: r.In, Transposed: r.Transposed, Segments: r.Segments}
	rows, cols := 1, stored.Shape[len(stored.Shape)-1]
	if len(stored.Shape) > 1 {
		rows = stored.Shape[len(stored.Shape)-2]
	}
	w.Stride = cols
	values, size, err := stored.Type.Block()
	if err != nil {
		return Weight{}, fmt.Errorf("%w (tensor %s)", err, r.Name)
	}
	begin, end := r.Offset/values*size, (r.Offset+rows*cols)/values*size
	if r.Offset%values != 0 || end > len(stored.Data) {
		return Weight{}, fmt.Errorf("engine: %s: %d bytes of %s hold no [%d × %d] from value %d on", r.Name, len(stored.Data), stored.Type, rows, cols, r.Offset)
	}
	w.Data = stored.Data[begin:end]
	return w, w.Check()
}

// vector reads a reference as float32 values: Out of them, or Out·In of a table.
func vector(s Source, r *Ref) ([]float32, error) {
	stored, err := lookup(s, r)
	if err != nil {
		return nil, err
	}
	count, want := 1, r.Out*max(r.In, 1)
	for _, n := range stored.Shape {
		count *= n
	}
	first, last := 0, count
	if len(r.Segments) == 0 && len(r.Joined) == 0 {
		first, last = r.Offset, r.Offset+want
	}
	if first < 0 || last > count {
		return nil, fmt.Errorf("engine: %s: %d values, want %d", r.Name, count, last)
	}
	all, err := values(stored, first, last-first)
	if err != nil {
		return nil, err
	}
	for _, name := range r.Joined {
		more, err := vector(s, &Ref{Name: name, Shape: r.Shape, Out: count})
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if len(r.Segments) == 0 {
		if len(all) != want {
			return nil, fmt.Errorf("engine: %s: %d values, want %d", r.Name, len(all), want)
		}
		return all, nil
	}
	var picked []float32
	for _, segment := range r.Segments {
		if segment.At+segment.Count > len(all) {
			return nil, fmt.Errorf("engine: %s: %d values, want %d", r.Name, len(all), segment.At+segment.Count)
		}
		picked = append(picked, all[segment.At:segment.At+segment.Count]...)
	}
	return picked, nil
}

// values decodes count values of a stored tensor from the first on.
func values(stored Stored, first, count int) ([]float32, error) {
	block, size, err := stored.Type.Block()
	if err != nil {
		return nil, fmt.Errorf("%w (tensor %s)", err, stored.Name)
	}
	begin, end := first/block*size, (first+count)/block*size
	if first%block != 0 || count%block != 0 || end > len(stored.Data) {
		return nil, fmt.Errorf("engine: %s: %d bytes of %s hold no %d values from value %d on", stored.Name, len(stored.Data), stored.Type, count, first)
	}
	w := Weight{Name: stored.Name, Type: stored.Type, Data: stored.Data[begin:end], Out: 1, In: count, Stride: count}
	if err := w.Check(); err != nil {
		return nil, err
	}
	all := make([]float32, count)
	return all, w.Float32s(all, 0)
}

func lookup(s Source, r *Ref) (Stored, error) {
	stored, found := s.Lookup(r.Name)
	if !found {
		return Stored{}, fmt.Errorf("engine: tensor %s: missing from the model's files", r.Name)
	}
	if !slices.Equal(stored.Shape, r.Shape) {
		return Stored{}, fmt.Errorf("engine: %s: shape %v, want %v", r.Name, stored.Shape, r.Shape)
	}
	return stored, nil
}

// spoiled names the first stored tensor that holds a NaN or an infinity, and how many; empty if none does. It reads every weight, so it
// is asked only when a result has turned out not to be a number.
func spoiled(s Source) (name string, values int) {
	for _, name := range s.Names() {
		stored, _ := s.Lookup(name)
		count, bad := 1, 0
		for _, n := range stored.Shape {
			count *= n
		}
		if count == 0 || len(stored.Shape) == 0 {
			continue
		}
		cols := stored.Shape[len(stored.Shape)-1]
		row := make([]float32, cols)
		w := Weight{Name: name, Type: stored.Type, Data: stored.Data, Out: count / cols, In: cols, Stride: cols}
		for r := range w.Out {
			if w.Float32s(row, r) != nil {
				break
			}
			for _, v := range row {
				if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
					bad++
				}
			}
		}
		if bad > 0 {
			return name, bad
		}
	}
	return "", 0
}
