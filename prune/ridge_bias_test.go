package prune

import (
	"math"
	"math/rand/v2"
	"testing"

	"avssnative/engine"

	"gonum.org/v1/gonum/mat"
)

// A bias beside a weight is the regression on one more input, the rows' weights, on which no ridge lies; and what both take away is the difference of
// the sums of squares before and after, over these rows and over others.
func TestBiasIsOneMoreInput(t *testing.T) {
	const in, out, rows, lambda = 7, 5, 60, 0.1
	r := rand.New(rand.NewPCG(1, 2))
	draw := func() (x, e *mat.Dense, g *engine.Gram) {
		x, e = mat.NewDense(rows, in+1, nil), mat.NewDense(rows, out, nil)
		g = &engine.Gram{In: in, Out: out, Rows: rows, XX: make([]float64, in*in), EX: make([]float64, out*in), X: make([]float64, in), E: make([]float64, out)}
		for row := range rows {
			c := 0.5 + r.Float64()
			x.Set(row, in, c)
			for i := range in {
				x.Set(row, i, c*(r.NormFloat64()+float64(i)))
			}
			for o := range out {
				e.Set(row, o, c*(r.NormFloat64()+2)+x.At(row, o))
			}
			g.Ones += c * c
			for i := range in {
				g.X[i] += c * x.At(row, i)
				for k := range in {
					g.XX[i*in+k] += x.At(row, i) * x.At(row, k)
				}
			}
			for o := range out {
				g.E[o] += c * e.At(row, o)
				g.EE += e.At(row, o) * e.At(row, o)
				for i := range in {
					g.EX[o*in+i] += e.At(row, o) * x.At(row, i)
				}
			}
		}
		return x, e, g
	}
	x, e, g := draw()
	d, err := ridge(centred(g), lambda)
	if err != nil {
		t.Fatal(err)
	}
	b := bias(g, d)
	var square, right, both mat.Dense
	square.Mul(x.T(), x)
	middle := centred(g)
	mean := 0.0
	for i := range in {
		mean += middle.XX[i*in+i] / in
	}
	for i := range in {
		square.Set(i, i, square.At(i, i)+lambda*mean)
	}
	right.Mul(x.T(), e)
	if err := both.Solve(&square, &right); err != nil {
		t.Fatal(err)
	}
	for o := range out {
		for i := range in + 1 {
			got := b[o]
			if i < in {
				got = d.At(o, i)
			}
			if want := both.At(i, o); math.Abs(got-want) > 1e-9*(1+math.Abs(want)) {
				t.Errorf("output %d, input %d: %g, want %g", o, i, got, want)
			}
		}
	}
	for name, draw := range map[string]func() (x, e *mat.Dense, g *engine.Gram){"fitted": func() (*mat.Dense, *mat.Dense, *engine.Gram) { return x, e, g }, "other": draw} {
		x, e, g := draw()
		var left mat.Dense
		left.Mul(x, &both)
		left.Sub(e, &left)
		want := g.EE - mat.Norm(&left, 2)*mat.Norm(&left, 2)
		if got := gain(g, d, b); math.Abs(got-want) > 1e-9*g.EE {
			t.Errorf("%s rows: a gain of %g, want %g", name, got, want)
		}
	}
}
