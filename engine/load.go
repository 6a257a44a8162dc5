package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// layerWeights are one layer's tensors, ready on the device. Vectors are looked up by the address of their reference in the Spec.
type layerWeights struct {
	device   device.Device
	source   weights.Tensors
	holdings *holdings // what the device keeps; nil: nothing
	matrices map[*arch.Ref]device.Matrix
	vectors  map[*arch.Ref]device.Tensor
	values   map[*arch.Ref][]float32 // vectors that stay on the host
	names    []string
	bytes    int64
}

// vector is the loaded vector of a reference, nil where it is absent.
func (w *layerWeights) vector(r *arch.Ref) device.Tensor {
	if r.Name == "" {
		return nil
	}
	return w.vectors[r]
}

// load makes everything that visit reaches ready on one of the model's devices.
func (m *Model) load(d device.Device, source weights.Tensors, visit func(func(*arch.Ref))) (*layerWeights, error) {
	return load(d, m.holdingsOf(d), source, visit)
}

// load makes everything that visit reaches ready on a device.
func load(d device.Device, kept *holdings, source weights.Tensors, visit func(func(*arch.Ref))) (*layerWeights, error) {
	w := &layerWeights{device: d, source: source, holdings: kept,
		matrices: map[*arch.Ref]device.Matrix{}, vectors: map[*arch.Ref]device.Tensor{}, values: map[*arch.Ref][]float32{}}
	var fault error
	visit(func(r *arch.Ref) {
		if r.Name == "" || fault != nil {
			return
		}
		w.names = append(append(w.names, r.Name), r.Joined...)
		if r.In > 0 && !r.Table {
			fault = w.matrix(r)
			return
		}
		values, err := r.Values(source)
		if err != nil {
			fault = err
			return
		}
		w.bytes += int64(4 * len(values))
		w.values[r] = values
		rows := 1
		if r.Table {
			rows = r.Out
		}
		w.vectors[r] = d.NewTensor(rows, len(values)/rows)
		d.Upload(w.vectors[r], 0, values)
	})
	if fault != nil {
		w.release()
		return nil, fault
	}
	return w, nil
}

// matrix makes a weight ready.
func (w *layerWeights) matrix(r *arch.Ref) error {
	stored, err := r.Matrix(w.source)
	if err != nil {
		return err
	}
	w.bytes += int64(len(stored.Data))
	if w.holdings != nil {
		if m := w.holdings.take(r, w.source); m != nil {
			w.matrices[r] = m
			return nil
		}
	}
	m, err := w.device.Matrix(stored)
	if err == nil {
		w.matrices[r] = m
	}
	return err
}

// release gives the device's memory back, as far as the device does not keep what is in it.
func (w *layerWeights) release() {
	for r, m := range w.matrices {
		if w.holdings != nil {
			w.holdings.give(r, m, w.source)
		} else {
			m.Release()
		}
	}
	for _, t := range w.vectors {
		t.Free()
	}
}

// names lists the stored tensors that visit reaches, each once, for reading ahead.
func names(visit func(func(*arch.Ref))) []string {
	var all []string
	known := map[string]bool{"": true}
	visit(func(r *arch.Ref) {
		for _, name := range append([]string{r.Name}, r.Joined...) {
			if !known[name] {
				known[name] = true
				all = append(all, name)
			}
		}
	})
	return all
}
