package prune

// The choice of layers: from scores and a rule to a plan. Nothing is read or written here.

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"avssnative/avss"
	"avssnative/engine"
)

// Plan says which layers go, and why.
type Plan struct {
	Metric   string   `json:"metric"` // avss.Scores.Key of the scores; empty where the layers were named by a person
	Rule     string   `json:"rule"`
	Unit     string   `json:"unit,omitempty"` // what the numbers below are: empty: layers; Sublayer: halves of layers (engine.Half)
	Dropped  []int    `json:"dropped"`        // ascending
	Kept     []int    `json:"kept"`
	Warnings []string `json:"warnings"`
}

// Drop is the plan as a variant of a pass.
func (p *Plan) Drop() engine.Drop {
	if p.Unit == Sublayer {
		return engine.Halves(p.Dropped...)
	}
	return engine.Layers(p.Dropped...)
}

// name is what a person calls the unit with a number.
func (p *Plan) name(unit int) string {
	if p.Unit == Sublayer {
		return engine.Half(unit).String()
	}
	return fmt.Sprintf("layer %d", unit)
}

// Lowest is the layers with the lowest scores that a rule drops, ascending; equal scores go by layer.
func Lowest(scores []float64, rule Rule) (engine.Drop, error) {
	p, err := Choose(avss.Scores{Values: scores}, rule, Protect{})
	if err != nil {
		return nil, err
	}
	return p.Drop(), nil
}

// Listed is the plan of a rule that names its layers, for a model of so many.
func Listed(layers int, rule Rule, protect Protect) (*Plan, error) {
	if err := protect.check(layers); err != nil {
		return nil, err
	}
	if rule.Halves() {
		return ListedUnits(layers, rule, protect)
	}
	dropped, err := rule.listed(layers, protect)
	if err != nil {
		return nil, err
	}
	return newPlan(layers, dropped, avss.Scores{}, rule, protect), nil
}

// Choose picks the layers that a rule drops by their scores: the run of layers that turns the residual stream least (angular), the order of
// removal (greedy), the set that was found (search), or the lowest scores (all others). A rule that names its layers is followed whatever the scores.
func Choose(scores avss.Scores, rule Rule, protect Protect) (*Plan, error) {
	layers := len(scores.Values)
	if rule.Listed() {
		return Listed(layers, rule, protect)
	}
	if err := protect.check(layers); err != nil {
		return nil, err
	}
	for l, v := range scores.Values {
		if math.IsNaN(v) {
			return nil, fmt.Errorf("prune: %s: layer %d has no score (NaN): score the model again", scores.Key(), l)
		}
	}
	choose := lowest
	switch {
	case rule.mass != nil:
		choose = byMass
	case len(scores.Distance) > 0:
		choose = contiguous
	case len(scores.Sets) > 0:
		choose = sought
	case len(scores.Order) > 0:
		choose = inOrder
	}
	dropped, err := choose(scores, rule, protect)
	if err != nil {
		return nil, err
	}
	slices.Sort(dropped)
	plan := newPlan(layers, dropped, scores, rule, protect)
	plan.Metric = scores.Key()
	return plan, nil
}

func newPlan(layers int, dropped []int, scores avss.Scores, rule Rule, protect Protect) *Plan {
	p := &Plan{Rule: rule.String(), Dropped: dropped, Kept: engine.Layers(dropped...).Without(layers)}
	if protect != (Protect{}) {
		p.Rule += ", " + protect.String() + " protected"
	}
	p.Warnings = warnings(p, scores, protect)
	return p
}

// wanted is how many layers a rule drops, if so many may go.
func wanted(layers int, rule Rule, protect Protect) (int, error) {
	n, err := rule.number(layers)
	if err != nil {
		return 0, err
	}
	if free := layers - protect.First - protect.Last; n > free {
		return 0, rule.refuse("%d of %d layers would go, but protecting %s leaves only %d: drop less or protect less", n, layers, protect, free)
	}
	return n, nil
}

// unprotected is the ranking without the protected layers.
func unprotected(ranking []int, protect Protect) []int {
	layers := len(ranking)
	return slices.DeleteFunc(ranking, func(l int) bool { return protect.holds(l, layers) })
}

func lowest(scores avss.Scores, rule Rule, protect Protect) ([]int, error) {
	n, err := wanted(len(scores.Values), rule, protect)
	if err != nil {
		return nil, err
	}
	return unprotected(scores.Ranking(), protect)[:n], nil
}

// byMass takes the lowest scores while their sum is at most the rule's share of the sum of all. The sum runs over the sorted scores.
// Infinite scores have no part in it and never go; a score below zero, which only rounding makes, counts as zero.
func byMass(scores avss.Scores, rule Rule, protect Protect) ([]int, error) {
	d, err := avss.Lookup(scores.Metric)
	if len(scores.Order)+len(scores.Sets)+len(scores.Distance) > 0 || err == nil && (d.Kind() == avss.Baseline || d.Name == lorpName) {
		return nil, rule.refuse("scores of %s have no mass: drop a share or a number of layers", scores.Metric)
	}
	if scores.HighestFirst() {
		return nil, rule.refuse("the highest scores of %s go first, and a mass is of the lowest: drop a share or a number of layers", scores.Metric)
	}
	part := func(l int) *big.Rat {
		r := new(big.Rat)
		if v := scores.Values[l]; v > 0 && !math.IsInf(v, 1) {
			r.SetFloat64(v)
		}
		return r
	}
	total := new(big.Rat)
	for l := range scores.Values {
		total.Add(total, part(l))
	}
	if total.Sign() == 0 {
		return nil, rule.refuse("the scores of %s sum to zero: drop a share or a number of layers", scores.Key())
	}
	ranking := unprotected(scores.Ranking(), protect)
	limit := new(big.Rat).Mul(rule.mass, total)
	sum := new(big.Rat)
	n := 0
	for ; n < len(ranking) && !math.IsInf(scores.Values[ranking[n]], 1); n++ {
		if sum.Add(sum, part(ranking[n])).Cmp(limit) > 0 {
			break
		}
	}
	switch {
	case n == 0 && (len(ranking) == 0 || math.IsInf(scores.Values[ranking[0]], 1)):
		return nil, rule.refuse("no layer with a finite score may go: drop a share or a number of layers")
	case n == 0:
		share, _ := new(big.Rat).Quo(part(ranking[0]), total).Float64()
		return nil, rule.refuse("the lowest score alone, layer %d's, is %.3g %% of all: raise the share, or drop a share or a number of layers",
			ranking[0], 100*share)
	case n >= len(scores.Values):
		return nil, rule.refuse("all %d layers would go and at least one must stay: lower the share", n)
	}
	return ranking[:n], nil
}

func contiguous(scores avss.Scores, rule Rule, protect Protect) ([]int, error) {
	layers := len(scores.Values)
	n, err := wanted(layers, rule, protect)
	if err != nil {
		return nil, err
	}
	if len(scores.Distance) != layers {
		return nil, fmt.Errorf("prune: %s: distances of %d layers, want %d: score the model again", scores.Metric, len(scores.Distance), layers)
	}
	best, err := avss.BestBlock(scores.Distance, n, protect.First, layers-protect.Last)
	if err != nil {
		return nil, err
	}
	var out []int
	for l := best.Start; l < best.Start+n; l++ {
		out = append(out, l)
	}
	return out, nil
}

// sought is the set of so many layers that a search has found.
func sought(scores avss.Scores, rule Rule, protect Protect) ([]int, error) {
	layers := len(scores.Values)
	n, err := wanted(layers, rule, protect)
	if err != nil {
		return nil, err
	}
	var sizes []string
	for _, set := range scores.Sets {
		sizes = append(sizes, strconv.Itoa(len(set.Layers)))
		if len(set.Layers) != n {
			continue
		}
		for _, l := range set.Layers {
			if protect.holds(l, layers) {
				return nil, &Refused{AskedProtection, protect.String(), fmt.Sprintf("the set of %d that %s found holds layer %d, which is one of them: "+
					"search again with the same layers protected", n, scores.Metric, l)}
			}
		}
		return slices.Clone(set.Layers), nil
	}
	return nil, rule.refuse("%d layers would go, but %s looked for sets of %s: search again for so many", n, scores.Metric, strings.Join(sizes, ", "))
}

func inOrder(scores avss.Scores, rule Rule, protect Protect) ([]int, error) {
	layers := len(scores.Values)
	n, err := wanted(layers, rule, protect)
	if err != nil {
		return nil, err
	}
	if n > len(scores.Order) {
		return nil, rule.refuse("%d layers would go, but the search by %s ended after %d rounds: search longer or drop less", n, scores.Metric, len(scores.Order))
	}
	for _, l := range scores.Order[:n] {
		if protect.holds(l, layers) {
			return nil, &Refused{AskedProtection, protect.String(), fmt.Sprintf("%s dropped layer %d, which is one of them: "+
				"search again with the same layers protected, for what follows depends on it", scores.Metric, l)}
		}
	}
	return slices.Clone(scores.Order[:n]), nil
}
