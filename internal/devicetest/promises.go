package devicetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/engine/device"
)

// What a device promises beside its arithmetic: tensors begin as zeros, views share memory, the first failure sticks until Sync, and no
// index from outside reads or writes where it must not.

// promises runs every such check; each leaves the device as it found it.
func promises(t *testing.T, d device.Device) {
	for _, p := range []struct {
		name  string
		check func(d device.Device) string
	}{
		{"new tensors are zero", zeroTensors},
		{"views share memory", sharedViews},
		{"the first failure sticks", stickyFailure},
		{"indices are checked", checkedIndices},
		{"weights are checked", checkedWeights},
	} {
		t.Run("Device/"+p.name, func(t *testing.T) {
			if failure := p.check(d); failure != "" {
				t.Error(failure)
			}
		})
	}
}

// zeroTensors fills and frees tensors first, as memory may be used again.
func zeroTensors(d device.Device) string {
	for _, shape := range [][2]int{{1, 1}, {7, 33}, {64, 512}, {3, 0}, {0, 5}} {
		values := shape[0] * shape[1]
		for turn := range 3 {
			t := d.NewTensor(shape[0], shape[1])
			got := make([]float32, values)
			if values > 0 {
				d.Download(got, t, 0)
			}
			if slices.ContainsFunc(got, func(v float32) bool { return v != 0 }) {
				return fmt.Sprintf("tensor %d of %v is not zero", turn, shape)
			}
			for i := range got {
				got[i] = float32(i) + 1
			}
			if values > 0 {
				d.Upload(t, 0, got)
			}
			if t.Rows() != shape[0] || t.Cols() != shape[1] {
				return fmt.Sprintf("tensor of [%d %d], want %v", t.Rows(), t.Cols(), shape)
			}
			t.Free()
		}
	}
	return failure(d)
}

func sharedViews(d device.Device) string {
	const rows, cols = 6, 21
	t := d.NewTensor(rows, cols)
	defer t.Free()
	want := make([]float32, rows*cols)
	for i := range want {
		want[i] = float32(i)
	}
	d.Upload(t, 0, want[:2*cols])
	d.Upload(t, 2, want[2*cols:])
	view := t.Slice(1, 4).Columns(3, 10).Slice(1, 3).Columns(2, 7) // rows 2–4, columns 5–11
	if view.Rows() != 3 || view.Cols() != 7 {
		return fmt.Sprintf("view of [%d %d], want [3 7]", view.Rows(), view.Cols())
	}
	part := make([]float32, 2*7)
	d.Download(part, view, 1)
	for i, v := range part {
		if at := (3+i/7)*cols + 5 + i%7; v != want[at] {
			return fmt.Sprintf("a view's value %d is %g, want %g", i, v, want[at])
		}
	}
	for i := range part {
		part[i] = float32(-i)
	}
	d.Upload(view, 1, part)
	view.Free()
	got := make([]float32, rows*cols)
	d.Download(got, t, 0)
	for i := range want {
		row, col := i/cols, i%cols
		if row >= 3 && row < 5 && col >= 5 && col < 12 {
			want[i] = float32(-((row-3)*7 + col - 5))
		}
		if got[i] != want[i] {
			return fmt.Sprintf("after an upload to a view: row %d, column %d is %g, want %g", row, col, got[i], want[i])
		}
	}
	return failure(d)
}

func stickyFailure(d device.Device) string {
	t := d.NewTensor(2, 3)
	defer t.Free()
	wrong := d.NewTensor(2, 4)
	defer wrong.Free()
	d.Upload(t, 0, []float32{1, 2, 3, 4, 5, 6})
	d.Add(t, t, wrong, 1)
	d.Scale(t, 2, nil)
	d.Gather(t, t, nil)
	if err := d.Sync(); err == nil || strings.Contains(strings.ToLower(err.Error()), "gather") {
		return fmt.Sprintf("after adding [2 4] to [2 3] and more: error %v, want the first failure", err)
	}
	if err := d.Sync(); err != nil {
		return fmt.Sprintf("a second Sync still says %v", err)
	}
	got := make([]float32, 6)
	d.Download(got, t, 0)
	if !slices.Equal(got, []float32{1, 2, 3, 4, 5, 6}) {
		return fmt.Sprintf("operations after a failure did something: %v", got)
	}
	return failure(d)
}

func checkedIndices(d device.Device) string {
	r := &rig{device: d}
	defer r.release()
	table := r.matrix(weight(device.F32, uniform, 5, 4, 0))
	t, more := r.tensor(uniform.rows("x", []int{0, 1}, 4), 4), r.tensor(uniform.rows("x", []int{0, 1, 2}, 4), 4)
	for _, c := range []struct {
		name  string
		call  func(bad int32)
		vocab bool
	}{
		{"Embed", func(bad int32) { d.Embed(t, table, []int32{1, bad}, 1) }, true},
		{"Gather", func(bad int32) { d.Gather(t, more, []int32{0, bad}) }, false},
		{"Scatter", func(bad int32) { d.Scatter(t, more, []int32{0, bad, 1}, nil) }, false},
		{"Head", func(bad int32) {
			d.Head(&device.Head{X: []device.Tensor{t}, Weight: table, Offsets: []int32{0, 1, 2}, Targets: []int32{0, bad}})
		}, true},
	} {
		for _, bad := range []int32{-1, 5, math.MaxInt32, math.MinInt32} {
			c.call(bad)
			err := d.Sync()
			if err == nil {
				return fmt.Sprintf("%s: index %d brought no error", c.name, bad)
			}
			if text := err.Error(); c.vocab && !(strings.Contains(text, fmt.Sprint(bad)) && strings.Contains(text, "5")) {
				return fmt.Sprintf("%s: error %q names not token %d and a vocabulary of 5", c.name, text, bad)
			}
		}
	}
	return strings.Join(append(r.failures, failure(d)), "")
}

func checkedWeights(d device.Device) string {
	short := weight(device.BF16, uniform, 6, 10, 2)
	short.Data = short.Data[:len(short.Data)-1]
	across := short
	across.Transposed, across.Out, across.In, across.Stride = true, 10, 6, 10
	beyond := weight(device.F32, uniform, 6, 10, 0)
	beyond.Segments = []device.Segment{{At: 1, Count: 6}}
	blocks := blockWeight(device.Q4_K, 3, 256)
	blocks.Data = blocks.Data[:len(blocks.Data)-1]
	unknown := weight(device.F32, uniform, 6, 10, 0)
	unknown.Type = "I8"
	across.Data = across.Data[:60*2-1]
	for _, w := range []device.Weight{short, across, beyond, blocks, unknown} {
		w.Name = "model.layers.3.weight"
		m, err := d.Matrix(w)
		if err == nil {
			m.Release()
			return fmt.Sprintf("a weight of %s that lacks data was accepted", w.Type)
		}
		if !strings.Contains(err.Error(), w.Name) {
			return fmt.Sprintf("error %q does not name the tensor", err)
		}
	}
	return failure(d)
}

// failure is what Sync says.
func failure(d device.Device) string {
	if err := d.Sync(); err != nil {
		return err.Error()
	}
	return ""
}
