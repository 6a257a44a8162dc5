package cuda

import (
	"reflect"
	"testing"

	"avssnative/engine/device"
)

// TestJoined: an addition done on the way by the norm or by the statistics behind it gives the bits that the two give one by one.
func TestJoined(t *testing.T) {
	silent(t)
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		d := open(t, compute)
		for _, cols := range []int{40, 300} {
			run := func(plain bool) ([]float32, device.SequenceMeasure, int) {
				const rows = 5
				d.plain = plain
				launched := d.launches
				x, f, y, normal := d.NewTensor(rows, cols), d.NewTensor(rows, cols), d.NewTensor(rows, cols), d.NewTensor(rows, cols)
				weight := d.NewTensor(1, cols)
				values := sequence(3*rows*cols, 7)
				d.Upload(x, 0, values[:rows*cols])
				d.Upload(f, 0, values[rows*cols:2*rows*cols])
				d.Upload(weight, 0, values[2*rows*cols:][:cols])
				d.Add(y, x, f, 0.5)
				d.Norm(normal, y, device.Norm{Kind: device.NormRMS, Eps: 1e-5, Weight: weight})
				d.Add(y, y, f, 1)
				m := &device.Measure{X: x, Y: y, MLP: f, Layout: &device.Layout{Start: []int32{0, 2, rows}},
					Eps: device.DefaultEps, Relative: device.DefaultRelative}
				d.Measure(m)
				out := make([]float32, 2*rows*cols)
				d.Download(out[:rows*cols], y, 0)
				d.Download(out[rows*cols:], normal, 0)
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
				for _, tensor := range []device.Tensor{x, f, y, normal, weight} {
					tensor.Free()
				}
				return out, m.Out[1], d.launches - launched
			}
			joined, joinedMeasure, few := run(false)
			single, singleMeasure, many := run(true)
			if !reflect.DeepEqual(joined, single) || joinedMeasure != singleMeasure {
				t.Errorf("%s, %d columns: joined operations give other bits", compute, cols)
			}
			if few != many-2 {
				t.Errorf("%s, %d columns: %d launches joined, %d one by one, want two fewer", compute, cols, few, many)
			}
		}
	}
}

// sequence gives n values from −1 to 1, the same ones every time.
func sequence(n int, seed uint32) []float32 {
	values := make([]float32, n)
	for i := range values {
		seed = seed*1664525 + 1013904223
		values[i] = float32(int32(seed)) / (1 << 31)
	}
	return values
}
