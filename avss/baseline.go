package avss

// Choices that look at nothing, to hold the others against.

import (
	"fmt"
	"math"
	"math/rand/v2"
)

func init() {
	register(Info{Name: "random", Kind: Baseline, About: "layers in a random order, by seed"})
	register(Info{Name: "first", Kind: Baseline, About: "the first layers go"})
	register(Info{Name: "last", Kind: Baseline, About: "the last layers go"})
}

// BaselineScores are the scores of random, first or last for a model of so many layers.
func BaselineScores(name string, layers int, seed uint64) (Scores, error) {
	out := Scores{Metric: name, Values: make(Values, layers), Tau: Value(math.NaN())}
	switch name {
	case "first":
		for l := range out.Values {
			out.Values[l] = float64(l)
		}
	case "last":
		for l := range out.Values {
			out.Values[l] = float64(layers - 1 - l)
		}
	case "random":
		source := rand.NewPCG(seed, 0xd1342543de82ef95)
		order := all(layers)
		for i := layers - 1; i > 0; i-- {
			j := below(source, i+1)
			order[i], order[j] = order[j], order[i]
		}
		for place, l := range order {
			out.Values[l] = float64(place)
		}
		out.Notes = []string{fmt.Sprintf("seed %d", seed)}
	default:
		return Scores{}, fmt.Errorf("avss: baseline %q is unknown: want random, first or last", name)
	}
	return out, nil
}
