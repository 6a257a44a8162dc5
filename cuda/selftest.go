package cuda

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

// selfTest computes a small product and its statistics and holds them against the processor's. A device whose kernels do not compute what
// they should (a driver that miscompiles, memory that forgets) is found before a model is trusted to it.
func (d *gpu) selfTest() error {
	const rows, in, out = 24, 40, 40
	x, w := make([]float32, rows*in), make([]float32, out*in)
	seed := uint32(1)
	for _, values := range [][]float32{x, w} {
		for i := range values { // small multiples of 1/16: exact in bfloat16, and so are the sums in float32
			seed = seed*1664525 + 1013904223
			values[i] = float32(int(seed>>24)%33-16) / 16
		}
	}
	bytes := make([]byte, 4*len(w))
	for i, v := range w {
		for b := range 4 {
			bytes[4*i+b] = byte(math.Float32bits(v) >> (8 * b))
		}
	}
	m, err := d.Matrix(device.Weight{Name: "self-test", Type: device.F32, Data: bytes, Out: out, In: in, Stride: in})
	if err != nil {
		return err
	}
	defer m.Release()
	from, to := d.NewTensor(rows, in), d.NewTensor(rows, out)
	defer from.Free()
	defer to.Free()
	d.Upload(from, 0, x)
	d.Product(to, from, m, nil)
	measure := &device.Measure{Y: to, Layout: &device.Layout{Start: []int32{0, rows}}, Eps: device.DefaultEps, Relative: device.DefaultRelative}
	d.Measure(measure)
	got := make([]float32, rows*out)
	d.Download(got, to, 0)
	if err := d.Sync(); err != nil {
		return err
	}
	sum, squares := 0.0, 0.0
	for r := range rows {
		for o := range out {
			want := 0.0
			for k := range in {
				want += float64(x[r*in+k]) * float64(w[o*in+k])
			}
			if v := float64(got[r*out+o]); v != want {
				return fmt.Errorf("product at row %d, column %d: %g, want %g", r, o, v, want)
			}
			sum, squares = sum+want, squares+want*want
		}
	}
	found := measure.Out[0].Sites[device.SiteBlock]
	if found.N != rows*out || math.Abs(found.Sum-sum) > 1e-9*squares || math.Abs(found.Sum2-squares) > 1e-9*squares {
		return fmt.Errorf("statistics: %d values, sum %g, squares %g; want %d, %g, %g", found.N, found.Sum, found.Sum2, rows*out, sum, squares)
	}
	return nil
}
