package arch

import (
	"fmt"
	"slices"

	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Matrix resolves a reference to the matrix it names.
func (r *Ref) Matrix(s weights.Tensors) (device.Weight, error) {
	stored, err := r.lookup(s)
	if err != nil {
		return device.Weight{}, err
	}
	w := device.Weight{Name: r.Name, Type: stored.Type, Out: r.Out, In: r.In, Transposed: r.Transposed, Segments: r.Segments}
	rows, cols := 1, stored.Shape[len(stored.Shape)-1]
	if len(stored.Shape) > 1 {
		rows = stored.Shape[len(stored.Shape)-2]
	}
	if len(stored.Shape) == 2 { // rows from an offset on
		rows -= r.Offset / max(cols, 1)
	}
	w.Stride = cols
	if stored.Widened() {
		wide, err := weights.Widen(stored, r.Offset, rows*cols)
		if err != nil {
			return device.Weight{}, err
		}
		w.Type, w.Data = wide.Type, wide.Data
		return w, w.Check()
	}
	values, size, err := stored.Type.Block()
	if err != nil {
		return device.Weight{}, fmt.Errorf("%w (tensor %s)", err, r.Name)
	}
	begin, end := r.Offset/values*size, (r.Offset+rows*cols)/values*size
	if r.Offset%values != 0 || end > len(stored.Data) {
		return device.Weight{}, fmt.Errorf("%s: %d bytes of %s hold no [%d × %d] from value %d on", r.Name, len(stored.Data), stored.Type, rows, cols, r.Offset)
	}
	w.Data = stored.Data[begin:end]
	return w, w.Check()
}

// Values reads a reference as float32 values: Out of them, or Out·In of a table.
func (r *Ref) Values(s weights.Tensors) ([]float32, error) {
	stored, err := r.lookup(s)
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
		return nil, fmt.Errorf("%s: %d values, want %d", r.Name, count, last)
	}
	all, err := weights.Decode(stored, first, last-first)
	if err != nil {
		return nil, err
	}
	for _, name := range r.Joined {
		more, err := (&Ref{Name: name, Shape: r.Shape, Out: count}).Values(s)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if len(r.Segments) == 0 {
		if len(all) != want {
			return nil, fmt.Errorf("%s: %d values, want %d", r.Name, len(all), want)
		}
		return all, nil
	}
	var picked []float32
	for _, segment := range r.Segments {
		if segment.At+segment.Count > len(all) {
			return nil, fmt.Errorf("%s: %d values, want %d", r.Name, len(all), segment.At+segment.Count)
		}
		picked = append(picked, all[segment.At:segment.At+segment.Count]...)
	}
	return picked, nil
}

func (r *Ref) lookup(s weights.Tensors) (weights.Stored, error) {
	stored, found := s.Lookup(r.Name)
	if !found {
		return weights.Stored{}, weights.Missing(s, r.Name)
	}
	if !slices.Equal(stored.Shape, r.Shape) {
		return weights.Stored{}, fmt.Errorf("%s: shape %v, want %v", r.Name, stored.Shape, r.Shape)
	}
	return stored, nil
}
