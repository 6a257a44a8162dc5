package prune

import (
	"fmt"
	"slices"

	"avssnative/engine"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Ridge regression of a linear layer from its sums: the change D of its weight with the least Σ|e − D x|² + λ·μ·|D|², where e is what its
// outputs lack and μ the mean of the diagonal of Σ x xᵀ. It is D = (Σ e xᵀ)(Σ x xᵀ + λμI)⁻¹, in float64. A bias that is solved beside it, without
// a ridge, takes what the mean row lacks: D is then that of rows without their mean, and b = (Σ c e − D Σ c x) / Σ c² for rows of weight c.

// centred are the sums of rows without their mean, where the layer has a bias; else the sums themselves.
func centred(g *engine.Gram) *engine.Gram {
	if g.Ones == 0 {
		return g
	}
	c := &engine.Gram{In: g.In, Out: g.Out, Rows: g.Rows, XX: slices.Clone(g.XX), EX: slices.Clone(g.EX), EE: g.EE}
	for i, v := range g.X {
		for k, w := range g.X {
			c.XX[i*g.In+k] -= v * w / g.Ones
		}
	}
	for o, v := range g.E {
		for k, w := range g.X {
			c.EX[o*g.In+k] -= v * w / g.Ones
		}
		c.EE -= v * v / g.Ones
	}
	return c
}

// bias is the change of a bias beside a change D of its weight, [Out].
func bias(g *engine.Gram, d *mat.Dense) []float64 {
	b := make([]float64, g.Out)
	for o := range b {
		b[o] = (g.E[o] - floats.Dot(d.RawRowView(o), g.X)) / g.Ones
	}
	return b
}

// ridge solves for one λ. It fails where the sums are no matrix that can be inverted so.
func ridge(g *engine.Gram, lambda float64) (*mat.Dense, error) {
	c, err := factorized(g, lambda)
	if err != nil {
		return nil, err
	}
	return solved(c, g)
}

// factorized is the Cholesky factor of Σ x xᵀ + λμI.
func factorized(g *engine.Gram, lambda float64) (*mat.Cholesky, error) {
	square, err := ridged(g, lambda)
	if err != nil {
		return nil, err
	}
	c := &mat.Cholesky{}
	if !c.Factorize(square) {
		return nil, fmt.Errorf("prune: the inputs of the layer depend on each other too much for a ridge of %g", lambda)
	}
	return c, nil
}

// solved is the change of all outputs that some sums are of.
func solved(c *mat.Cholesky, g *engine.Gram) (*mat.Dense, error) {
	var d mat.Dense
	if err := c.SolveTo(&d, mat.NewDense(g.Out, g.In, g.EX).T()); err != nil {
		if _, poor := err.(mat.Condition); !poor {
			return nil, fmt.Errorf("prune: %w", err)
		}
	}
	return mat.DenseCopyOf(d.T()), nil
}

// ridged is Σ x xᵀ + λμI.
func ridged(g *engine.Gram, lambda float64) (*mat.SymDense, error) {
	n := g.In
	mean := 0.0
	for i := range n {
		mean += g.XX[i*n+i]
	}
	mean /= float64(n)
	if !(mean > 0) {
		return nil, fmt.Errorf("prune: nothing but zeros enters the layer")
	}
	square := make([]float64, len(g.XX))
	for i := range n {
		for j := range n {
			// The two halves are sums of the same products in another order.
			square[i*n+j] = (g.XX[i*n+j] + g.XX[j*n+i]) / 2
		}
		square[i*n+i] += lambda * mean
	}
	return mat.NewSymDense(n, square), nil
}

// gain is what a change D, and b where there is a bias, takes away from Σ|e|² over the rows of some sums: 2·Σ eᵀ(Dx + b) − Σ|Dx + b|².
func gain(g *engine.Gram, d *mat.Dense, b []float64) float64 {
	var through mat.Dense
	through.Mul(d, mat.NewDense(g.In, g.In, g.XX))
	sum := 0.0
	for o := range g.Out {
		row, along := d.RawRowView(o), through.RawRowView(o)
		wanted := g.EX[o*g.In : (o+1)*g.In]
		for i, v := range row {
			sum += v * (2*wanted[i] - along[i])
		}
		if b != nil {
			sum += b[o] * (2*g.E[o] - 2*floats.Dot(row, g.X) - b[o]*g.Ones)
		}
	}
	return sum
}

// ridges are the strengths that are tried, ascending: few tokens want a strong one, many a weak one.
var ridges = []float64{0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10}

// judgedOutputs is how many outputs of a layer a strength is chosen by; they are taken from all over it.
const judgedOutputs = 96

// some are the sums of every so many-th output.
func some(g *engine.Gram) *engine.Gram {
	step := max(1, g.Out/judgedOutputs)
	part := &engine.Gram{In: g.In, Rows: g.Rows, XX: g.XX, X: g.X, Ones: g.Ones}
	for o := step / 2; o < g.Out; o += step {
		part.EX = append(part.EX, g.EX[o*g.In:(o+1)*g.In]...)
		if g.Ones != 0 {
			part.E = append(part.E, g.E[o])
		}
		part.Out++
	}
	return part
}

// bestRidge walks from one strength downhill on rows kept apart, and gives the change and where it ended. A nil change makes nothing better.
func bestRidge(sums, held *engine.Gram, from int) (change *mat.Dense, at int, err error) {
	if held.Rows == 0 || held.EE == 0 {
		change, err = ridge(centred(sums), ridges[from])
		return change, from, err
	}
	var factor, tried *mat.Cholesky // of the best strength, and of the last
	gains := map[int]float64{}
	whole, fitted, judged := centred(sums), some(sums), some(held)
	middle := centred(fitted)
	try := func(i int) (float64, error) {
		if v, done := gains[i]; done {
			return v, nil
		}
		tried = nil
		c, err := factorized(whole, ridges[i])
		if err != nil {
			return 0, err
		}
		d, err := solved(c, middle)
		if err != nil {
			return 0, err
		}
		var b []float64
		if sums.Ones != 0 {
			b = bias(fitted, d)
		}
		tried, gains[i] = c, gain(judged, d, b)
		return gains[i], nil
	}
	at = from
	best, err := try(at)
	if err != nil {
		return nil, at, err
	}
	factor = tried
	for _, step := range []int{1, -1} {
		for at+step >= 0 && at+step < len(ridges) {
			v, err := try(at + step)
			if err != nil || !(v > best) {
				break
			}
			at, best, factor = at+step, v, tried
		}
	}
	if !(best > 0) {
		return nil, at, nil
	}
	change, err = solved(factor, whole)
	return change, at, err
}
