package bench

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// chanceLevel is how often a model that only guesses may pass for one that knows something.
const chanceLevel = 0.05

// A Chance says how right answers stand to guessing.
type Chance struct {
	P   float64 // of as many right answers or more by guessing
	Low float64 // with 95 % confidence the model's share of right answers is at least this
}

// Above says whether a model does better than guessing. Where it does not, nothing that a pruned one does says what was kept.
func (c Chance) Above() bool { return c.P <= chanceLevel }

// AgainstChance tests whether a share of right answers to n questions is more than guessing gives: the exact binomial test, one-sided at 5 %, and the
// lower end of the interval that belongs to it (Clopper and Pearson 1934). Where questions have different numbers of choices, chance is their
// mean, which makes the test the stricter. The share may be a mean that was rounded.
func AgainstChance(share float64, n int, chance float64) Chance {
	right := math.Round(share * float64(n))
	switch {
	case math.IsNaN(right) || n < 1 || right <= 0:
		return Chance{P: 1}
	case right > float64(n):
		right = float64(n)
	}
	// As many or more right: the tail of the binomial distribution is a beta distribution's (Johnson, Kemp, Kotz 2005, section 3.4).
	tail := distuv.Beta{Alpha: right, Beta: float64(n) - right + 1}
	return Chance{P: tail.CDF(min(max(chance, 0), 1)), Low: tail.Quantile(chanceLevel)}
}
