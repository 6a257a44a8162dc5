package prune

import (
	"fmt"
	"math"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
)

// depthTrap is the rank correlation with depth from which a ranking says no more than "the first layers first".
const depthTrap = 0.95

// warnings are what a person should know before following a plan. Scores without values stand for a list made by a person.
func warnings(p *Plan, scores avss.Scores, protect Protect) []string {
	out := []string{}
	layers := len(p.Dropped) + len(p.Kept) // or halves
	last := layers - 1
	if p.Unit == Sublayer {
		last = layers/2 - 1
	}
	if info, err := avss.Lookup(scores.Metric); err != nil || info.Kind() != avss.Baseline {
		depth := make([]float64, len(scores.Values))
		for l := range depth {
			depth[l] = float64(l)
		}
		if rho := avss.Spearman(scores.Importance(), depth); len(depth) >= 4 && rho > depthTrap {
			verb := "rise"
			if scores.HighestFirst() {
				verb = "fall"
			}
			out = append(out, fmt.Sprintf("the scores of %s %s with depth (Spearman %.3f), so it names the earliest layers, which a decoder can least do without: "+
				"in a pre-norm model the residual stream grows from layer to layer, and a measure that knows no scale, such as the variance over sparsity of "+
				"raw activations, grows with it; prefer the robust formula of avss at its site delta, bi or a removal metric", scores.Key(), verb, rho))
		}
	}
	for _, u := range p.Drop() {
		switch l := u.Layer; {
		case l < 2:
			out = append(out, fmt.Sprintf("%s goes: the first two layers are the ones that models miss most; protecting the first 2 keeps them", what(u)))
		case l == last:
			out = append(out, fmt.Sprintf("%s goes: it is the last one, which shapes what the head sees; protecting the last 1 keeps it", what(u)))
		}
	}
	if len(scores.Distance) > 0 || len(scores.Order)+len(scores.Sets) > 0 || len(scores.Values) == 0 {
		return out
	}
	worst, importance := p.Dropped[0], scores.Importance()
	for _, l := range p.Dropped {
		if importance[l] > importance[worst] {
			worst = l
		}
	}
	next := slices.IndexFunc(scores.Ranking(), func(l int) bool { return !slices.Contains(p.Dropped, l) && !protect.holds(l, layers) })
	if math.IsInf(importance[worst], 1) {
		out = append(out, fmt.Sprintf("%s goes although its score is infinite: none with a finite score is left to take", p.name(worst)))
	} else if len(scores.Low) == layers && len(scores.High) == layers && next >= 0 {
		next = scores.Ranking()[next]
		below, above := worst, next // by their scores
		if scores.HighestFirst() {
			below, above = next, worst
		}
		if scores.High[below] >= scores.Low[above] {
			out = append(out, fmt.Sprintf("%s goes and %s stays, but their scores differ by less than their intervals (%.4g to %.4g, %.4g to %.4g): "+
				"other text might choose the other one; measure more sequences or judge both", p.name(worst), p.name(next), scores.Low[worst], scores.High[worst], scores.Low[next], scores.High[next]))
		}
	}
	return out
}

// what is a unit in a sentence.
func what(u engine.Unit) string {
	if u.Part == engine.Layer {
		return "layer " + u.String()
	}
	return u.String()
}
