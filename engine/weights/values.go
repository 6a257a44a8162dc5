package weights

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

// Decode gives count values of a stored tensor from the first on.
func Decode(stored Stored, first, count int) ([]float32, error) {
	if stored.Widened() {
		return stored.widen(first, count)
	}
	block, size, err := stored.Type.Block()
	if err != nil {
		return nil, fmt.Errorf("%w (tensor %s)", err, stored.Name)
	}
	begin, end := first/block*size, (first+count)/block*size
	if first%block != 0 || count%block != 0 || end > len(stored.Data) {
		return nil, fmt.Errorf("weights: %s: %d bytes of %s hold no %d values from value %d on", stored.Name, len(stored.Data), stored.Type, count, first)
	}
	w := device.Weight{Name: stored.Name, Type: stored.Type, Data: stored.Data[begin:end], Out: 1, In: count, Stride: count}
	if err := w.Check(); err != nil {
		return nil, err
	}
	all := make([]float32, count)
	return all, w.Float32s(all, 0)
}

// NotNumbers names the first stored tensor that holds a NaN or an infinity, and how many; empty if none does. It reads every weight, so it
// is asked only when a result has turned out not to be a number.
func NotNumbers(s Tensors) (name string, values int) {
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
		w := device.Weight{Name: name, Type: stored.Type, Data: stored.Data, Out: count / cols, In: cols, Stride: cols}
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
