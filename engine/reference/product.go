package reference

import (
	"slices"

	"avssnative/engine/device"
)

// Device "reference": weights, and what multiplies or looks them up.

// matrix is a weight decoded to [out × in] float64.
type matrix struct {
	device   *plain
	name     string
	values   []float64
	out, in  int
	integers bool // products round what they are given (device.RoundInt8)
	released bool
}

func (m *matrix) Out() int { return m.out }
func (m *matrix) In() int  { return m.in }
func (m *matrix) Release() { m.values, m.released = nil, true }

func (m *matrix) line(o int) []float64 { return m.values[o*m.in : (o+1)*m.in] }

func (d *plain) Matrix(w device.Weight) (device.Matrix, error) {
	if err := w.Check(); err != nil {
		return nil, err
	}
	m := &matrix{device: d, name: w.Name, values: make([]float64, w.Out*w.In), out: w.Out, in: w.In,
		integers: d.compute == device.ComputeInt8 && w.Type.Integers()}
	failures := make([]error, w.Out)
	d.each(w.Out, func(o int) { failures[o] = w.Float64s(m.line(o), o) })
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (d *plain) Embed(dst device.Tensor, table device.Matrix, ids []int32, scale float32) {
	c := d.check("embed")
	from := c.matrix("table", table)
	to := c.tensor("dst", dst, len(ids), from.in)
	if c.failed() {
		return
	}
	for i, id := range ids {
		if id < 0 || int(id) >= from.out {
			c.fail("%s: token id %d at row %d, vocabulary has %d", from.name, id, i, from.out)
			return
		}
	}
	for i, id := range ids {
		for j, v := range from.line(int(id)) {
			to.line(i)[j] = float64(scale) * v
		}
	}
}

func (d *plain) Product(dst, x device.Tensor, w device.Matrix, bias device.Tensor) {
	c := d.check("product")
	weight := c.matrix("w", w)
	from := c.tensor("x", x, anyExtent, weight.in)
	to := c.tensor("dst", dst, from.rows, weight.out)
	shift := c.optional("bias", bias, 1, weight.out)
	c.apart(to, from, shift)
	if c.failed() {
		return
	}
	d.each(from.rows, func(i int) {
		line := to.line(i)
		weight.product(line, from.line(i))
		if shift != nil {
			for o, b := range shift.line(0) {
				line[o] += b
			}
		}
	})
}

// product sets dst = W·x. Four outputs are summed side by side, each in the order of its own row: four times the speed, the same bits.
func (m *matrix) product(dst, x []float64) {
	if m.integers {
		x = slices.Clone(x)
		device.RoundInt8(x)
	}
	o := 0
	for ; o+4 <= m.out; o += 4 {
		w0, w1, w2, w3 := m.line(o), m.line(o+1), m.line(o+2), m.line(o+3)
		var s0, s1, s2, s3 float64
		for k, v := range x {
			s0 += v * w0[k]
			s1 += v * w1[k]
			s2 += v * w2[k]
			s3 += v * w3[k]
		}
		dst[o], dst[o+1], dst[o+2], dst[o+3] = s0, s1, s2, s3
	}
	for ; o < m.out; o++ {
		dst[o] = dot(x, m.line(o))
	}
}

func dot(x, y []float64) float64 {
	sum := 0.0
	for k, v := range x {
		sum += v * y[k]
	}
	return sum
}
