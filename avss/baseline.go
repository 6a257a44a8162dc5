package avss

// Choices that look at nothing, to hold the others against.

import (
	"fmt"
	"math"
	"math/rand/v2"

	"avssnative/failure"
)

func init() {
	Register(Definition{builtin: true, Name: "random", About: "layers in a random order, by seed", Order: shuffled, Seeded: true})
	Register(Definition{builtin: true, Name: "first", About: "the first layers go", Order: func(layers int, _ uint64) []float64 {
		scores := make([]float64, layers)
		for l := range scores {
			scores[l] = float64(l)
		}
		return scores
	}})
	Register(Definition{builtin: true, Name: "last", About: "the last layers go", Order: func(layers int, _ uint64) []float64 {
		scores := make([]float64, layers)
		for l := range scores {
			scores[l] = float64(layers - 1 - l)
		}
		return scores
	}})
}

// shuffled is every layer's place in an order in which all are equally likely (R. Durstenfeld, "Algorithm 235: Random permutation", 1964).
func shuffled(layers int, seed uint64) []float64 {
	source := rand.NewPCG(seed, 0xd1342543de82ef95)
	order := all(layers)
	for i := layers - 1; i > 0; i-- {
		j := below(source, i+1)
		order[i], order[j] = order[j], order[i]
	}
	scores := make([]float64, layers)
	for place, l := range order {
		scores[l] = float64(place)
	}
	return scores
}

// BaselineScores are the scores of a baseline for a model of so many layers. A name that is no baseline's is failure.NotFound.
func BaselineScores(name string, layers int, seed uint64) (Scores, error) {
	d := registry[name]
	if d.Order == nil {
		return Scores{}, failure.NotFound.Errorf("avss: baseline %q is unknown: want one of %v", name, Names(Baseline))
	}
	out := Scores{Metric: name, Values: d.Order(layers, seed), Tau: Value(math.NaN()), References: references(name)}
	if len(out.Values) != layers {
		return Scores{}, fmt.Errorf("avss: %s: %d scores for %d layers", name, len(out.Values), layers)
	}
	if d.Seeded {
		out.Notes = []string{fmt.Sprintf("seed %d", seed)}
	}
	return out, nil
}
