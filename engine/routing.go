package engine

import (
	"cmp"
	"math"
	"slices"

	"avssnative/engine/arch"
)

// routed says which rows go to which expert: places counts rows·top assignments, ordered by expert, then token.
type routed struct {
	tokens  []int32     // token of each place
	weights []float32   // weight of each place
	start   []int       // places of expert i: start[i] to start[i+1]
	places  [][]int32   // rank, token → place
	byRank  [][]float32 // rank, token → weight
}

// plan chooses for every row of logits [rows × experts].
func plan(r *arch.Routing, logits, correction []float32, experts int) *routed {
	rows := len(logits) / experts
	p := &routed{tokens: make([]int32, rows*r.Top), weights: make([]float32, rows*r.Top), start: make([]int, experts+1),
		places: make([][]int32, r.Top), byRank: make([][]float32, r.Top)}
	chosen := make([]int, 0, rows*r.Top)
	for row := range rows {
		ids, weights := choose(r, logits[row*experts:(row+1)*experts], correction)
		for rank, id := range ids {
			chosen = append(chosen, id)
			p.start[id+1]++
			p.byRank[rank] = append(p.byRank[rank], float32(weights[rank]))
		}
	}
	for i := range experts {
		p.start[i+1] += p.start[i]
	}
	next := slices.Clone(p.start)
	for at, id := range chosen {
		row, rank := at/r.Top, at%r.Top
		place := next[id]
		next[id]++
		p.tokens[place], p.weights[place] = int32(row), p.byRank[rank][row]
		p.places[rank] = append(p.places[rank], int32(place))
	}
	return p
}

// choose gives one token's experts, the best first, and their weights.
func choose(r *arch.Routing, logits, correction []float32) (ids []int, weights []float64) {
	scores := make([]float64, len(logits))
	for i, v := range logits {
		scores[i] = float64(v)
	}
	switch r.Score {
	case arch.SparseMixer:
		return mixSparsely(r, scores)
	case arch.SoftmaxAll:
		softmax(scores)
	case arch.SigmoidScore:
		for i, v := range scores {
			scores[i] = 1 / (1 + math.Exp(-v))
		}
	}
	choice := slices.Clone(scores)
	for i, v := range correction {
		choice[i] += float64(v)
	}
	keepGroups(r, choice)
	ids = largest(choice, r.Top)
	for _, id := range ids {
		weights = append(weights, scores[id])
	}
	if r.Score == arch.SoftmaxTop {
		softmax(weights)
	}
	scale := r.Scale
	if scale == 0 {
		scale = 1
	}
	if r.Normalise {
		sum := 1e-20
		for _, w := range weights {
			sum += w
		}
		scale /= sum
	}
	for i := range weights {
		weights[i] *= scale
	}
	return ids, weights
}

// keepGroups puts every expert outside the best groups out of reach.
func keepGroups(r *arch.Routing, choice []float64) {
	if r.Groups < 2 {
		return
	}
	size := len(choice) / r.Groups
	groups := make([]float64, r.Groups)
	for g := range groups {
		members := choice[g*size : (g+1)*size]
		best := largest(members, min(2, size))
		groups[g] = members[best[0]]
		if r.GroupPair && len(best) > 1 {
			groups[g] += members[best[1]]
		}
	}
	kept := largest(groups, r.TopGroups)
	for i := range choice {
		if !slices.Contains(kept, i/size) {
			choice[i] = math.Inf(-1)
		}
	}
}

// mixSparsely chooses the largest logit, then the largest of the others, and weighs each by a softmax over those within twice the jitter of it.
func mixSparsely(r *arch.Routing, scores []float64) (ids []int, weights []float64) {
	left := slices.Clone(scores)
	for range r.Top {
		best := largest(left, 1)[0]
		near := slices.Clone(left)
		for i, v := range scores {
			if (left[best]-v)/math.Max(math.Abs(v), left[best]) > 2*r.Jitter {
				near[i] = math.Inf(-1)
			}
		}
		softmax(near)
		ids, weights = append(ids, best), append(weights, near[best])
		left[best] = math.Inf(-1)
	}
	return ids, weights
}

// largest lists the n largest values' places, the largest first, the first of equals first.
func largest(values []float64, n int) []int {
	// Few of many are wanted, so most values cost one comparison, with the least of those kept.
	kept := make([]int, 0, n+1)
	for i, v := range values {
		if len(kept) == n && (n == 0 || cmp.Compare(v, values[kept[n-1]]) <= 0) {
			continue
		}
		at := len(kept)
		for at > 0 && cmp.Compare(v, values[kept[at-1]]) > 0 {
			at--
		}
		kept = slices.Insert(kept, at, i)
		kept = kept[:min(n, len(kept))]
	}
	return kept
}

// softmax turns scores into weights that sum to one.
func softmax(values []float64) {
	top, sum := slices.Max(values), 0.0
	for i, v := range values {
		values[i] = math.Exp(v - top)
		sum += values[i]
	}
	for i := range values {
		values[i] /= sum
	}
}
