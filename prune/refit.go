package prune

import (
	"context"
	"math"

	"avssnative/engine"

	"gonum.org/v1/gonum/mat"
)

// How the linear layers that stay are solved, one kind of repair a solver. Each is given layers in order by engine.Fit and sums up what it left.

// solver solves one linear layer after the other.
type solver func(context.Context, *engine.LinearFit) (*engine.Solution, error)

// refit solves output projections, and inner layers where they are asked for, next to what they are (ours): the strength of the ridge is the one
// that does best on rows kept apart, sought from where the last layer's search ended.
func refit() solver {
	from := [2]int{5, 7} // of inner layers, of output projections
	return func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		kind := 0
		if l.Adds {
			kind = 1
		}
		change, at, err := bestRidge(l.Sums, l.Held, from[kind])
		if err != nil || change == nil {
			return nil, err
		}
		from[kind], l.Held = at, nil // rounding wants the room
		return rounded(l, changed(l, change), ridges[at])
	}
}

// linearMaps solves the linear maps in the place of attentions (NBL, arXiv 2505.21077), and leaves other layers to a further solver; nil: as they are.
func linearMaps(others solver) solver {
	from := 3
	return func(ctx context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		if !l.Linear {
			if others == nil {
				return nil, nil
			}
			return others(ctx, l)
		}
		change, at, err := bestRidge(l.Sums, l.Held, from)
		if err != nil || change == nil {
			return nil, err
		}
		from, l.Held = at, nil
		return rounded(l, changed(l, change), ridges[at])
	}
}

// leastSquares finds one matrix a gap that turns the last projection's output into what the gap would have made of it, next to the identity, and
// folds it in (ReplaceMe, arXiv 2505.02819, equation 5 and section 3.1, with the ridge towards the identity).
func leastSquares() solver {
	from := 7
	return func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		weight := mat.NewDense(l.Sums.Out, l.Sums.In, widened(l.Weight))
		through := func(g *engine.Gram) *engine.Gram { // the sums with the projection's outputs in the place of its inputs
			var square, half, lacks mat.Dense
			half.Mul(weight, mat.NewDense(g.In, g.In, g.XX))
			square.Mul(&half, weight.T())
			lacks.Mul(mat.NewDense(g.Out, g.In, g.EX), weight.T())
			return &engine.Gram{In: g.Out, Out: g.Out, Rows: g.Rows, XX: square.RawMatrix().Data, EX: lacks.RawMatrix().Data, EE: g.EE}
		}
		change, at, err := bestRidge(through(l.Sums), through(l.Held), from)
		if err != nil || change == nil {
			return nil, err
		}
		from = at
		var folded mat.Dense
		folded.Mul(change, weight)
		return rounded(l, changed(l, &folded), ridges[at])
	}
}

// scaleGaps makes up for a gap's effect on the length of the stream by one factor a gap (Prune&Comp, arXiv 2507.18212). Blocks that norm their
// input do not see the stream's length, so instead of lengthening the stream everything that is added behind the gap is shortened, which is
// the same function.
func scaleGaps() solver {
	by := 1.0
	return func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		if !l.Adds {
			return nil, nil
		}
		var solved *engine.Solution
		if by != 1 {
			solved = &engine.Solution{Weight: scaled(l.Weight, by)}
			if l.Bias != nil {
				solved.Bias = scaled(l.Bias, by)
			}
		}
		// What a gap lies behind has another length than the dense stream there. Where none does, the two differ by what is not yet made up.
		if l.Gap && l.Pruned > 0 && l.Dense > 0 {
			by *= math.Min(math.Max(l.Pruned/(l.Dense*by), 0.1), 10)
		}
		return solved, nil
	}
}

func scaled(values []float32, by float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(float64(v) * by)
	}
	return out
}

func widened(values []float32) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// changed is a layer's weight with a change.
func changed(l *engine.LinearFit, change *mat.Dense) []float32 {
	weight := make([]float32, len(l.Weight))
	for o := range l.Sums.Out {
		for i, d := range change.RawRowView(o) {
			weight[o*l.Sums.In+i] = float32(float64(l.Weight[o*l.Sums.In+i]) + d)
		}
	}
	return weight
}
