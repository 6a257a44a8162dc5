package bench

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// exactBelow is the number of discordant pairs from which the approximation is good (Agresti, Categorical Data Analysis, section 10.1).
const exactBelow = 25

// McNemar tests whether two models answer the same questions equally well (McNemar 1947): only questions that one answers rightly and the
// other wrongly count. Lost were right before and are wrong now, won the other way round. The two-sided p comes from the binomial
// distribution for fewer than 25 such questions, else from χ² with one degree of freedom and continuity correction (Edwards 1948).
func McNemar(lost, won int) Test {
	n := lost + won
	t := Test{Name: "McNemar, exact binomial", Lost: lost, Won: won}
	if n < exactBelow {
		t.P = 1
		if n > 0 {
			t.P = min(1, 2*distuv.Binomial{N: float64(n), P: 0.5}.CDF(float64(min(lost, won))))
		}
		return t
	}
	t.Name = "McNemar, chi-square with continuity correction"
	difference := max(0, math.Abs(float64(lost-won))-1)
	t.P = distuv.ChiSquared{K: 1}.Survival(difference * difference / float64(n))
	return t
}

// A Test is the outcome of a paired test of the dense model against the pruned one.
type Test struct {
	Name string // which test, in which form
	P    float64
	// Lost and Won are questions answered rightly before and wrongly now, and the other way round.
	Lost int
	Won  int
	// Difference is the loss of the pruned model less that of the dense one, nats a word, byte or token as the metric has it, with the
	// ends of its 95 % interval.
	Difference float64
	Low        float64
	High       float64
}
