package engine

import "math"

// What a pass takes: the hidden tensors that its memory holds, the weights that may stay there, and the work that lies ahead.

// hiddenTensors is how many hidden tensors the memory allowed for holds.
func (w *walker) hiddenTensors() int {
	memory := w.pass.Memory
	if memory <= 0 {
		memory = w.device.Info().Memory / 2
	}
	if memory <= 0 {
		return math.MaxInt
	}
	bytes := int64(w.model.Spec.Hidden) * 4
	first := int64(w.packing.rows) * bytes
	if w.packing.scored == 0 {
		return math.MaxInt
	}
	return 1 + int(max(0, memory-first)/(int64(w.packing.scored)*bytes))
}

// resident says whether the weights may stay in memory: mapping them again costs a pass a few per cent.
func (w *walker) resident() bool {
	memory := w.pass.Memory
	if memory <= 0 {
		memory = w.device.Info().Memory
	}
	return w.model.bytes() <= memory/2
}

// countWork fills in the work that lies ahead.
func (w *walker) countWork(groups [][]int) {
	layers := w.model.Layers()
	w.step.Layers = layers
	w.outcome.Passes = len(groups)
	for _, group := range groups {
		walked := group
		if w.pass.Known != nil && group[0] == 0 {
			walked = group[1:]
		}
		_, blocks := w.set.sharedWork(walked)
		w.outcome.Blocks += blocks
		w.step.Total += float64(blocks+len(group)) * float64(w.packing.scored)
	}
	for _, drop := range w.variants {
		w.outcome.Alone += layers - len(drop.Layers())
	}
	w.step.Total += float64((w.packing.rows - w.packing.scored) * (layers - len(w.variants[0].Layers())))
}

// stays says whether an earlier pass has left a layer's weights mapped, and notes that this one will.
func (m *Model) stays(layer int, resident bool) bool {
	if !resident {
		m.mapped.Delete(layer)
		return false
	}
	_, there := m.mapped.LoadOrStore(layer, true)
	return there
}
