package prune

import (
	"fmt"

	"avssnative/engine"

	"gonum.org/v1/gonum/mat"
)

// Ridge regression of a linear layer from its sums: the change D of its weight with the least Σ|e − D x|² + λ·μ·|D|², where e is what its
// outputs lack and μ the mean of the diagonal of Σ x xᵀ. It is D = (Σ e xᵀ)(Σ x xᵀ + λμI)⁻¹, in float64.

// ridge solves for one λ. It fails where the sums are no matrix that can be inverted so.
func ridge(g *engine.Gram, lambda float64) (*mat.Dense, error) {
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
	var c mat.Cholesky
	if !c.Factorize(mat.NewSymDense(n, square)) {
		return nil, fmt.Errorf("prune: the inputs of the layer depend on each other too much for a ridge of %g", lambda)
	}
	var solved mat.Dense
	if err := c.SolveTo(&solved, mat.NewDense(g.Out, n, g.EX).T()); err != nil {
		if _, poor := err.(mat.Condition); !poor {
			return nil, fmt.Errorf("prune: %w", err)
		}
	}
	return mat.DenseCopyOf(solved.T()), nil
}

// lack is what a change D leaves of Σ|e|² over the rows of some sums: Σ|e|² − 2·Σ eᵀDx + Σ|Dx|².
func lack(g *engine.Gram, d *mat.Dense) float64 {
	var through mat.Dense
	through.Mul(d, mat.NewDense(g.In, g.In, g.XX))
	sum := g.EE
	for o := range g.Out {
		row, along := d.RawRowView(o), through.RawRowView(o)
		wanted := g.EX[o*g.In : (o+1)*g.In]
		for i, v := range row {
			sum += v * (along[i] - 2*wanted[i])
		}
	}
	return sum
}

// ridges are the strengths that are tried, ascending: few tokens want a strong one, many a weak one.
var ridges = []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10}

// bestRidge walks from one strength downhill on rows kept apart, and gives the change, where it ended, and what share of Σ|e|² is left there. A
// nil change makes nothing better.
func bestRidge(sums, held *engine.Gram, from int) (change *mat.Dense, at int, left float64, err error) {
	if held.Rows == 0 || held.EE == 0 {
		change, err = ridge(sums, ridges[from])
		return change, from, 1, err
	}
	tried := map[int]*mat.Dense{}
	lacks := map[int]float64{}
	try := func(i int) (float64, error) {
		if v, done := lacks[i]; done {
			return v, nil
		}
		d, err := ridge(sums, ridges[i])
		if err != nil {
			return 0, err
		}
		tried[i], lacks[i] = d, lack(held, d)
		return lacks[i], nil
	}
	at = from
	best, err := try(at)
	if err != nil {
		return nil, at, 1, err
	}
	for _, step := range []int{1, -1} {
		for at+step >= 0 && at+step < len(ridges) {
			v, err := try(at + step)
			if err != nil || !(v < best) {
				break
			}
			at, best = at+step, v
		}
	}
	if !(best < held.EE) {
		return nil, at, 1, nil
	}
	return tried[at], at, best / held.EE, nil
}
