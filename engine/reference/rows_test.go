package reference

import (
	"math"
	"testing"

	"avssnative/engine/device"
)

func TestReferenceNorm(t *testing.T) {
	d := openReference(t)
	x := put(d, []float32{3, 4, 0, 0}, []float32{1, 1, -1, -1})
	dst := d.NewTensor(2, 4)
	d.Norm(dst, x, device.Norm{Kind: device.NormRMS})
	expect(t, d, dst, 1.2, 1.6, 0, 0, 1, 1, -1, -1)
	d.Norm(dst, x, device.Norm{Kind: device.NormL2, Eps: 11})
	expect(t, d, dst, 0.5, 4.0/6, 0, 0, 1/math.Sqrt(15), 1/math.Sqrt(15), -1/math.Sqrt(15), -1/math.Sqrt(15))
	d.Norm(dst, x, device.Norm{Kind: device.NormRMS, Groups: 2, Weight: put(d, []float32{1, 2}), Offset: 1, Bias: put(d, []float32{0, 0, 5, 6}), Eps: 1})
	first := math.Sqrt(12.5 + 1)
	expect(t, d, dst, 2*3/first, 3*4/first, 5, 6, 2/math.Sqrt2, 3/math.Sqrt2, 5-2/math.Sqrt2, 6-3/math.Sqrt2)
	// mean 1.75, variance (1.25² + 2.25² + 2·1.75²)/4
	deviation := math.Sqrt((1.25*1.25 + 2.25*2.25 + 2*1.75*1.75) / 4)
	d.Norm(x, x, device.Norm{Kind: device.NormLayer, Weight: put(d, []float32{1, 1, 1, -2})})
	expect(t, d, x, 1.25/deviation, 2.25/deviation, -1.75/deviation, 3.5/deviation, 1, 1, -1, 2)

	d.Norm(dst, x, device.Norm{})
	refuses(t, d, "norm", "unknown kind 0")
	d.Norm(dst, x, device.Norm{Kind: device.NormRMS, Groups: 3})
	refuses(t, d, "3 groups of 4 columns")
	d.Norm(dst, x, device.Norm{Kind: device.NormRMS, Weight: d.NewTensor(1, 3)})
	refuses(t, d, "weight", "want [1 4]")
	d.Norm(x.Slice(0, 1), x.Slice(0, 1), device.Norm{Kind: device.NormRMS, Weight: x.Slice(0, 1)})
	refuses(t, d, "overlaps")
}

func TestReferenceAddScaleClamp(t *testing.T) {
	d := openReference(t)
	a, b := put(d, []float32{1, 2}, []float32{3, 4}), put(d, []float32{10, 20}, []float32{30, 40})
	dst := d.NewTensor(2, 2)
	d.Add(dst, a, b, -0.5)
	expect(t, d, dst, -4, -8, -12, -16)
	d.Add(a, a, b, 1)
	expect(t, d, a, 11, 22, 33, 44)
	d.Scale(a, 2, []float32{1, -1})
	expect(t, d, a, 22, 44, -66, -88)
	d.Clamp(a, 50)
	expect(t, d, a, 22, 44, -50, -50)
	d.Scale(a, 0.5, nil)
	expect(t, d, a, 11, 22, -25, -25)
	d.Add(a.Slice(0, 1), a.Slice(1, 1), b.Slice(0, 1), 1)
	expect(t, d, a, -15, -5, -25, -25)
	d.Add(dst, a, b.Slice(0, 1), 1)
	refuses(t, d, "add", "b: shape [1 2], want [2 2]")
	d.Add(b, a, b, 1)
	refuses(t, d, "overlaps")
	wide := d.NewTensor(1, 3)
	d.Add(wide.Columns(0, 2), wide.Columns(1, 2), put(d, []float32{1, 1}), 1)
	refuses(t, d, "overlaps the first input")
	d.Clamp(a, float32(math.NaN()))
	refuses(t, d, "clamp", "limit NaN")
}

func TestReferenceActivate(t *testing.T) {
	d := openReference(t)
	ln3 := float32(math.Log(3)) // σ(ln 3) = 3/4, tanh(ln 3) = 4/5
	for _, c := range []struct {
		name string
		a    device.Activation
		x    float32
		want float64
	}{
		{"identity", device.Activation{Kind: device.Identity}, -3, -3},
		{"silu", device.Activation{Kind: device.SiLU}, ln3, 0.75 * math.Log(3)},
		{"gelu", device.Activation{Kind: device.GELU}, 1, 0.8413447460685429},
		{"gelu far below", device.Activation{Kind: device.GELU}, -1, -0.15865525393145707},
		{"gelu tanh", device.Activation{Kind: device.GELUTanh}, 1, 0.8411919906082768},
		{"gelu quick", device.Activation{Kind: device.GELUQuick}, ln3 / 1.702, 0.75 * math.Log(3) / 1.702},
		{"relu", device.Activation{Kind: device.ReLU}, 2, 2},
		{"relu of a negative", device.Activation{Kind: device.ReLU}, -2, 0},
		{"relu squared", device.Activation{Kind: device.ReLUSquared}, 3, 9},
		{"relu squared of a negative", device.Activation{Kind: device.ReLUSquared}, -3, 0},
		{"sigmoid", device.Activation{Kind: device.Sigmoid}, -ln3, 0.25},
		{"tanh", device.Activation{Kind: device.Tanh}, ln3, 0.8},
		{"xielu above", device.Activation{Kind: device.XIELU, AlphaP: 2, AlphaN: 3, Beta: 0.5}, 2, 9},
		{"xielu below", device.Activation{Kind: device.XIELU, AlphaP: 2, AlphaN: 3, Beta: 0.5, Eps: -1e-6}, -ln3,
			(1.0/3-1+math.Log(3))*3 - 0.5*math.Log(3)},
		{"xielu near zero", device.Activation{Kind: device.XIELU, AlphaP: 2, AlphaN: 3, Beta: 0.5, Eps: -1}, 0, 3 * (math.Exp(-1) - 1)},
	} {
		x := put(d, []float32{c.x})
		dst := d.NewTensor(1, 1)
		d.Activate(dst, x, nil, c.a)
		t.Run(c.name, func(t *testing.T) { expect(t, d, dst, c.want) })
		d.Activate(x, x, put(d, []float32{-2}), c.a)
		t.Run(c.name+" gated", func(t *testing.T) { expect(t, d, x, -2*c.want) })
		turns := c.a
		turns.Interleaved = true
		d.Activate(dst, put(d, []float32{c.x, 4}), nil, turns)
		t.Run(c.name+" interleaved", func(t *testing.T) { expect(t, d, dst, 4*c.want) })
	}

	clamped := device.Activation{Kind: device.SwiGLUClamped, Alpha: 2, Limit: ln3 / 2}
	dst := d.NewTensor(1, 2)
	d.Activate(dst, put(d, []float32{5, -ln3 / 2}), put(d, []float32{-7, 0.25}), clamped)
	half := math.Log(3) / 2
	expect(t, d, dst, half*0.75*(1-half), -half*0.25*1.25)
	d.Activate(dst, dst, nil, clamped)
	refuses(t, d, "activate", "needs up")
	clamped.Interleaved = true
	d.Activate(dst, put(d, []float32{5, -7, -ln3 / 2, 0.25}), nil, clamped)
	expect(t, d, dst, half*0.75*(1-half), -half*0.25*1.25)
	d.Activate(dst, d.NewTensor(1, 2), nil, clamped)
	refuses(t, d, "gate", "want [1 4]")
	d.Activate(dst, dst, nil, device.Activation{Kind: device.SwiGLUClamped + 1})
	refuses(t, d, "unknown kind")
}

func TestReferenceRope(t *testing.T) {
	d := openReference(t)
	quarter := math.Pi / 2
	x := put(d, []float32{9, 1, 2, 3, 4, 9, 9, 5, 6, 7, 8, 9})
	// Position 3 at π/2 is three quarter turns, (a, b) to (b, −a); at π/6 one quarter turn, (a, b) to (−b, a).
	r := device.Rope{HeadDim: 6, Offset: 1, Frequencies: []float64{quarter, quarter / 3}}
	d.Rope(x, r, []int32{3})
	expect(t, d, x, 9, 3, -4, -1, 2, 9, 9, 7, -8, -5, 6, 9)
	x = put(d, []float32{9, 1, 2, 3, 4, 9, 9, 5, 6, 7, 8, 9})
	r.Interleaved, r.Scale = true, 2
	d.Rope(x, r, []int32{3})
	expect(t, d, x, 9, 4, -2, -8, 6, 9, 9, 12, -10, -16, 14, 9)
	// A third of a right angle.
	x = put(d, []float32{1, 0}, []float32{1, 0})
	d.Rope(x, device.Rope{HeadDim: 2, Frequencies: []float64{quarter / 3}}, []int32{1, 0})
	expect(t, d, x, math.Sqrt(3)/2, 0.5, 1, 0)

	d.Rope(x, device.Rope{HeadDim: 2, Frequencies: []float64{1, 2}}, []int32{1, 0})
	refuses(t, d, "rope", "2 pairs from column 0 on in heads of 2")
	d.Rope(x, device.Rope{HeadDim: 3}, []int32{1, 0})
	refuses(t, d, "heads of 3 columns in rows of 2")
	d.Rope(x, device.Rope{HeadDim: 2}, []int32{1})
	refuses(t, d, "1 positions, want 2")
}
