package prune

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	dense    *dense
	text     string               // stands for the dense model's text
	bypasses map[[2]int]*promised // by the first layer gone and the first that stays behind
}

// promised is a gap's bypass, whose matrix is solved where it is computed with.
type promised struct {
	repair *engine.Repair
	keep   func(matrix []float32) error // nil: it is there
}

func newGaps(d *dense) *gaps {
	sum := sha256.New()
	for _, s := range d.text {
		fmt.Fprintln(sum, s.IDs)
	}
	return &gaps{dense: d, text: hex.EncodeToString(sum.Sum(nil)), bypasses: map[[2]int]*promised{}}
}

// gapsOf are a set's gaps: the first layer gone of each and the first that stays behind.
func gapsOf(drop engine.Drop) (all [][2]int) {
	for _, l := range drop.Layers() {
		if n := len(all); n > 0 && all[n-1][1] == l {
			all[n-1][1]++
		} else {
			all = append(all, [2]int{l, l + 1})
		}
	}
	return all
}

// repair is that of all gaps of a set, to be solved before it is computed with.
func (g *gaps) repair(drop engine.Drop) (*engine.Repair, error) {
	all := g.dense.model.NewRepair()
	for _, gap := range gapsOf(drop) {
		b, known := g.bypasses[gap]
		if !known {
			b = &promised{repair: g.dense.model.NewRepair()}
			var err error
			if b.keep, err = b.repair.Promise(gap[0], fmt.Sprintf("layers %d to %d bridged with %g over %s", gap[0], gap[1]-1, gapRidge, g.text)); err != nil {
				return nil, err
			}
			g.bypasses[gap] = b
		}
		all.And(b.repair)
	}
	return all, nil
}

// solve solves for the matrices of a set's gaps that have none yet.
func (g *gaps) solve(ctx context.Context, drop engine.Drop) error {
	for _, gap := range gapsOf(drop) {
		b := g.bypasses[gap]
		if b.keep == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		streams, err := g.dense.streams(ctx)
		if err != nil {
			return err
		}
		sums, err := streams.Gap(gap[0], gap[1])
		if err != nil {
			return err
		}
		matrix, err := bridge(sums, gapRidge)
		if err != nil {
			return fmt.Errorf("prune: search: layers %d to %d: %w", gap[0], gap[1]-1, err)
		}
		if err := b.keep(matrix); err != nil {
			return err
		}
		b.keep = nil
	}
	return nil
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
