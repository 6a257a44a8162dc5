package prune

import (
	"context"
	"errors"
	"fmt"
	"math"

	"avssnative/engine"

	"gonum.org/v1/gonum/mat"
)

// The repair within a search: in the place of a gap the stream x becomes x + W·x, with W = (Σ e xᵀ)(Σ x xᵀ + λ·diag Σ x xᵀ)⁻¹ from the dense
// model's stream x in front of the gap and what the gap adds to it, e (Ghosted Layers, arXiv 2605.15491). A gap's matrix is thus the same in every set that
// has the gap: it is solved once, and variants that share it walk together. It cannot be written; the sets that are found are repaired as any other.

// gapRidge is the strength λ of the ridge towards no change. A dimension counts by its own size: a few of them are larger than all others together.
const gapRidge = 0.1

// gaps are the bypasses of gaps.
type gaps struct {
	streams  *engine.Streams
	model    Searchable
	bypasses map[[2]int]*engine.Repair // by the first layer gone and the first that stays behind
}

// repair is that of all gaps of a set.
func (g *gaps) repair(ctx context.Context, drop engine.Drop) (*engine.Repair, error) {
	all := g.model.NewRepair()
	layers := drop.Layers()
	for at := 0; at < len(layers); {
		end := at + 1
		for end < len(layers) && layers[end] == layers[end-1]+1 {
			end++
		}
		one, err := g.gap(ctx, layers[at], layers[end-1]+1)
		if err != nil {
			return nil, err
		}
		all.And(one)
		at = end
	}
	return all, nil
}

// gap is the repair of layers from..to−1.
func (g *gaps) gap(ctx context.Context, from, to int) (*engine.Repair, error) {
	key := [2]int{from, to}
	if r, known := g.bypasses[key]; known {
		return r, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sums, err := g.streams.Gap(from, to)
	if err != nil {
		return nil, err
	}
	matrix, err := bridge(sums, gapRidge)
	if err != nil {
		return nil, fmt.Errorf("prune: search: layers %d to %d: %w", from, to-1, err)
	}
	r := g.model.NewRepair()
	if err := r.Bypass(from, matrix); err != nil {
		return nil, err
	}
	g.bypasses[key] = r
	return r, nil
}

// bridge solves for the matrix of a gap, [hidden × hidden].
func bridge(g *engine.Gram, lambda float64) ([]float32, error) {
	n := g.In
	square := make([]float64, len(g.XX))
	for i := range n {
		for j := range n {
			// The two halves are sums of the same products in another order.
			square[i*n+j] = (g.XX[i*n+j] + g.XX[j*n+i]) / 2
		}
		square[i*n+i] = square[i*n+i]*(1+lambda) + math.SmallestNonzeroFloat32
	}
	var c mat.Cholesky
	if !c.Factorize(mat.NewSymDense(n, square)) {
		return nil, errors.New("the stream's dimensions depend on each other too much")
	}
	var solved mat.Dense
	if err := c.SolveTo(&solved, mat.NewDense(n, n, g.EX).T()); err != nil {
		if _, poor := err.(mat.Condition); !poor {
			return nil, err
		}
	}
	matrix := make([]float32, n*n)
	for i := range n {
		for j, v := range solved.RawRowView(i) {
			matrix[j*n+i] = float32(v)
		}
	}
	return matrix, nil
}
