package reference

import (
	"math"

	"avssnative/engine/device"
)

// Device "reference": what works row by row.

func (d *plain) Norm(dst, x device.Tensor, n device.Norm) {
	c := d.check("norm")
	from := c.tensor("x", x, anyExtent, anyExtent)
	to := c.tensor("dst", dst, from.rows, from.cols)
	groups := max(n.Groups, 1)
	c.want(n.Groups >= 0 && from.cols%groups == 0, "%d groups of %d columns", n.Groups, from.cols)
	c.want(n.Kind == device.NormRMS || n.Kind == device.NormLayer || n.Kind == device.NormL2, "unknown kind %d", n.Kind)
	if c.failed() {
		return
	}
	size := from.cols / groups
	weight := c.perColumn("weight", n.Weight, from.cols, size)
	bias := c.perColumn("bias", n.Bias, from.cols, size)
	c.inPlace(to, from, weight, bias)
	if c.failed() {
		return
	}
	d.each(from.rows, func(i int) {
		for first := 0; first < from.cols; first += size {
			in, out := from.line(i)[first:first+size], to.line(i)[first:first+size]
			normalise(out, in, n.Kind, float64(n.Eps))
			for j := range out {
				if weight != nil {
					out[j] *= weight.line(0)[(first+j)%weight.cols] + float64(n.Offset)
				}
				if bias != nil {
					out[j] += bias.line(0)[(first+j)%bias.cols]
				}
			}
		}
	})
}

// perColumn takes an optional row of one value a column, or one a column of a group.
func (c check) perColumn(name string, t device.Tensor, cols, size int) *tensor {
	if t != nil && t.Cols() == size {
		cols = size
	}
	return c.optional(name, t, 1, cols)
}

// normalise sets out to in, normalised; they may be the same.
func normalise(out, in []float64, kind device.NormKind, eps float64) {
	size := float64(len(in))
	mean := 0.0
	if kind == device.NormLayer {
		for _, v := range in {
			mean += v / size
		}
	}
	squares := 0.0
	for _, v := range in {
		squares += (v - mean) * (v - mean)
	}
	if kind != device.NormL2 {
		squares /= size
	}
	divisor := math.Sqrt(squares + eps)
	for j, v := range in {
		out[j] = (v - mean) / divisor
	}
}

func (d *plain) Add(dst, a, b device.Tensor, scale float32) {
	c := d.check("add")
	left := c.tensor("a", a, anyExtent, anyExtent)
	right := c.tensor("b", b, left.rows, left.cols)
	to := c.tensor("dst", dst, left.rows, left.cols)
	c.inPlace(to, left, right)
	if c.failed() {
		return
	}
	d.each(to.rows, func(i int) {
		for j, v := range left.line(i) {
			to.line(i)[j] = v + float64(scale)*right.line(i)[j]
		}
	})
}

func (d *plain) Scale(x device.Tensor, factor float32, rows []float32) {
	c := d.check("scale")
	to := c.tensor("x", x, anyExtent, anyExtent)
	c.want(rows == nil || len(rows) == to.rows, "%d row factors, want %d", len(rows), to.rows)
	if c.failed() {
		return
	}
	d.each(to.rows, func(i int) {
		by := float64(factor)
		if rows != nil {
			by *= float64(rows[i])
		}
		for j := range to.line(i) {
			to.line(i)[j] *= by
		}
	})
}

func (d *plain) Clamp(x device.Tensor, limit float32) {
	c := d.check("clamp")
	to := c.tensor("x", x, anyExtent, anyExtent)
	c.want(limit >= 0, "limit %g", limit)
	if c.failed() {
		return
	}
	d.each(to.rows, func(i int) {
		for j, v := range to.line(i) {
			to.line(i)[j] = clamp(v, float64(limit))
		}
	})
}

// clamp limits v to ±limit; what is no number stays none.
func clamp(v, limit float64) float64 { return math.Max(-limit, math.Min(limit, v)) }

func (d *plain) Activate(dst, gate, up device.Tensor, a device.Activation) {
	c := d.check("activate")
	to := c.tensor("dst", dst, anyExtent, anyExtent)
	width := to.cols
	if a.Interleaved {
		width *= 2
		c.want(up == nil, "interleaved, and up too")
	}
	from := c.tensor("gate", gate, to.rows, width)
	other := c.optional("up", up, to.rows, to.cols)
	c.want(a.Kind <= device.SwiGLUClamped, "unknown kind %d", a.Kind)
	c.want(a.Kind != device.SwiGLUClamped || up != nil || a.Interleaved, "kind %d needs up", a.Kind)
	c.inPlace(to, from, other)
	if c.failed() {
		return
	}
	d.each(to.rows, func(i int) {
		in, out := from.line(i), to.line(i)
		for j := range out {
			switch {
			case a.Interleaved:
				out[j] = gated(a, in[2*j], in[2*j+1])
			case other != nil:
				out[j] = gated(a, in[j], other.line(i)[j])
			default:
				out[j] = activation(a, in[j])
			}
		}
	})
}

// gated is f(gate) · up.
func gated(a device.Activation, gate, up float64) float64 {
	if a.Kind == device.SwiGLUClamped {
		gate, up = math.Min(gate, float64(a.Limit)), clamp(up, float64(a.Limit))
		return gate * sigmoid(float64(a.Alpha)*gate) * (up + 1)
	}
	return activation(a, gate) * up
}

// activation is f(x).
func activation(a device.Activation, x float64) float64 {
	switch a.Kind {
	case device.SiLU:
		return x * sigmoid(x)
	case device.GELU:
		return x / 2 * math.Erfc(-x/math.Sqrt2)
	case device.GELUTanh:
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case device.GELUQuick:
		return x * sigmoid(1.702*x)
	case device.ReLU:
		return math.Max(x, 0)
	case device.ReLUSquared:
		return math.Max(x, 0) * math.Max(x, 0)
	case device.Sigmoid:
		return sigmoid(x)
	case device.Tanh:
		return math.Tanh(x)
	case device.XIELU:
		if x > 0 {
			return float64(a.AlphaP)*x*x + float64(a.Beta)*x
		}
		return (math.Expm1(math.Min(x, float64(a.Eps)))-x)*float64(a.AlphaN) + float64(a.Beta)*x
	}
	return x // Identity
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
