package prune

import (
	"context"
	"fmt"
	"math"

	"avssnative/engine"
	"avssnative/engine/weights"

	"gonum.org/v1/gonum/mat"
)

// How the linear layers that stay are solved, one kind of repair a solver. Each is given layers in order by engine.Fit and sums up what it left.

// solver solves one linear layer after the other.
type solver func(context.Context, *engine.LinearFit) (*engine.Solution, error)

// progress is what solvers go on from, from one layer to the next: where the search for a ridge ended last, by kind of layer, the factor by which a
// gap is made up for, and how many experts there were.
type progress struct {
	Inner, Output, Expert, Map, Gap int
	By                              float64
	Experts                         Experts
}

// begin is where solvers begin.
func begin() *progress { return &progress{Inner: 5, Output: 7, Expert: 7, Map: 3, Gap: 7, By: 1} }

// refit solves output projections, and inner layers where they are asked for, next to what they are (ours): the strength of the ridge is the one
// that does best on rows kept apart, sought from where the last layer's search ended.
func refit(from *progress) solver {
	experts := &from.Experts
	return func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		kind := &from.Inner
		switch {
		case l.Expert && !reached(l):
			experts.count(false)
			return nil, nil
		case l.Expert:
			kind = &from.Expert
		case l.Adds:
			kind = &from.Output
		}
		change, at, err := bestRidge(l.Sums, l.Held, *kind)
		if err != nil {
			return nil, err
		}
		if l.Expert {
			experts.count(change != nil)
		}
		if change == nil {
			return nil, nil
		}
		*kind = at
		if l.Expert {
			at = min(at+expertSteps, len(ridges)-1)
			if change, err = ridge(centred(l.Sums), ridges[at]); err != nil {
				return nil, err
			}
		}
		l.Held = nil // rounding wants the room
		solution, err := rounded(l, changed(l, change), ridges[at])
		if err != nil || l.Sums.Ones == 0 {
			return solution, err
		}
		return solution, biased(l, solution)
	}
}

// Experts counts the output projections of mixtures' experts, shared ones too, that a repair has looked at.
type Experts struct {
	Solved int `json:"solved"`
	Left   int `json:"left"` // as they are: too few rows were sent to them, no change made them better, or their type is none that can be written
}

func (e *Experts) count(solved bool) {
	if solved {
		e.Solved++
	} else {
		e.Left++
	}
}

// expertSteps is by how many steps of ridges an expert's is stronger than the one that does best on the rows kept apart. Of the rows that an expert
// is sent some kinds are rare or missing, first tokens with their long activations among them, and a change that nothing holds back there costs more
// where one comes than it gains elsewhere (docs/repair.md has what was measured).
const expertSteps = 4

// reached says whether an expert has the rows that it takes to solve it, and a type to be written in. Sums of fewer rows than a quarter of the inputs
// leave most of the weight to the ridge, and a strength that is chosen on a handful of rows is chosen by chance.
func reached(l *engine.LinearFit) bool {
	return weights.Encodes(l.Type) && 4*l.Sums.Rows >= l.Sums.In && l.Held.Rows >= leastHeld
}

// leastHeld is how many rows the strength of an expert's ridge is chosen by at least.
const leastHeld = 16

// linearMaps solves the linear maps in the place of attentions (NBL, arXiv 2505.21077), and leaves other layers to a further solver; nil: as they are.
func linearMaps(from *progress, others solver) solver {
	return func(ctx context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		if !l.Linear {
			if others == nil {
				return nil, nil
			}
			return others(ctx, l)
		}
		change, at, err := bestRidge(l.Sums, l.Held, from.Map)
		if err != nil || change == nil {
			return nil, err
		}
		from.Map, l.Held = at, nil
		return rounded(l, changed(l, change), ridges[at])
	}
}

// leastSquares finds one matrix a gap that turns the last projection's output into what the gap would have made of it, next to the identity, and
// folds it in (ReplaceMe, arXiv 2505.02819, equation 5 and section 3.1, with the ridge towards the identity).
func leastSquares(from *progress) solver {
	return func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		weight := mat.NewDense(l.Sums.Out, l.Sums.In, widened(l.Weight))
		through := func(g *engine.Gram) *engine.Gram { // the sums with the projection's outputs in the place of its inputs
			var square, half, lacks mat.Dense
			half.Mul(weight, mat.NewDense(g.In, g.In, g.XX))
			square.Mul(&half, weight.T())
			lacks.Mul(mat.NewDense(g.Out, g.In, g.EX), weight.T())
			return &engine.Gram{In: g.Out, Out: g.Out, Rows: g.Rows, XX: square.RawMatrix().Data, EX: lacks.RawMatrix().Data, EE: g.EE}
		}
		change, at, err := bestRidge(through(l.Sums), through(l.Held), from.Gap)
		if err != nil || change == nil {
			return nil, err
		}
		from.Gap = at
		var folded mat.Dense
		folded.Mul(change, weight)
		return rounded(l, changed(l, &folded), ridges[at])
	}
}

// scaleGaps makes up for a gap's effect on the length of the stream by one factor a gap (Prune&Comp, arXiv 2507.18212). Blocks that norm their
// input do not see the stream's length, so instead of lengthening the stream everything that is added behind the gap is shortened, which is
// the same function.
func scaleGaps(from *progress) solver {
	return func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		if !l.Adds {
			return nil, nil
		}
		var solved *engine.Solution
		if by := from.By; by != 1 {
			solved = &engine.Solution{Weight: scaled(l.Weight, by)}
			if l.Bias != nil {
				solved.Bias = scaled(l.Bias, by)
			}
		}
		// What a gap lies behind has another length than the dense stream there. Where none does, the two differ by what is not yet made up.
		if l.Gap && l.Pruned > 0 && l.Dense > 0 {
			from.By *= math.Min(math.Max(l.Pruned/(l.Dense*from.By), 0.1), 10)
		}
		return solved, nil
	}
}

// biased solves a layer's bias beside what its weight has become.
func biased(l *engine.LinearFit, s *engine.Solution) error {
	weight := s.Weight
	if s.Rows != nil {
		var err error
		stored := weights.Stored{Name: l.Name, Type: l.Type, Shape: []int{l.Sums.Out, l.Sums.In}, Data: s.Rows}
		if weight, err = weights.Decode(stored, 0, l.Sums.Out*l.Sums.In); err != nil {
			return fmt.Errorf("prune: %w", err)
		}
	}
	d := mat.NewDense(l.Sums.Out, l.Sums.In, nil)
	for i, v := range weight {
		d.RawMatrix().Data[i] = float64(v) - float64(l.Weight[i])
	}
	s.Bias = make([]float32, l.Sums.Out)
	for o, b := range bias(l.Sums, d) {
		s.Bias[o] = float32(float64(l.Bias[o]) + b)
	}
	return nil
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
