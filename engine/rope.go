package engine

import (
	"avssnative/engine/arch"
	"avssnative/engine/device"
)

// rotate turns x's heads to their positions.
func (f *forward) rotate(x device.Tensor, r *arch.Rotary) {
	if r.Stretch == nil {
		f.device.Rope(x, r.Rope, f.positions)
		return
	}
	lengths := familyLengths(f.layout)
	if f.cache != nil {
		for i, w := range f.cache.work {
			lengths[i] = w.past + w.rows
		}
	}
	for i := 0; i < f.layout.Sequences(); i++ {
		first, end := int(f.layout.Start[i]), int(f.layout.Start[i+1])
		f.device.Rope(x.Slice(first, end-first), r.At(lengths[i]), f.positions[first:end])
	}
}

// familyLengths gives for each sequence the tokens of the longest chain it belongs to: a context with its longest branch.
func familyLengths(l *device.Layout) []int {
	lengths := make([]int, l.Sequences())
	root := func(i int) int {
		if l.Prefix != nil && l.Prefix[i] >= 0 {
			return int(l.Prefix[i])
		}
		return i
	}
	for i := range lengths {
		first, end := l.PrefixOf(i)
		lengths[root(i)] = max(lengths[root(i)], end-first+int(l.Start[i+1]-l.Start[i]))
	}
	for i := range lengths {
		lengths[i] = lengths[root(i)]
	}
	return lengths
}
