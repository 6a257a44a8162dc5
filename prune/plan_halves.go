package prune

// The choice of halves of layers. A rule still speaks of layers: 25 % of 30 layers, or 8, are as many bytes of halves as 8 layers have on
// average, so that a choice of halves and one of layers of the same rule leave files of the same size.

import (
	"fmt"
	"math"
	"slices"

	"avssnative/avss"
	"avssnative/engine"
)

// Sublayer is Plan.Unit of a plan whose numbers are halves (engine.Half), not layers.
const Sublayer = "sublayer"

// UnitName is what a person calls the unit with a number: 7, or 7.attn where halves are counted.
func UnitName(unit string, number int) string {
	if unit == Sublayer {
		return engine.Half(number).String()
	}
	return fmt.Sprint(number)
}

// HalfBytes are the bytes of every half of a model's layers, by number; 0 of one that it lacks.
func HalfBytes(m *engine.Model) []int64 {
	bytes := make([]int64, 2*m.Layers())
	_, all := m.Size(nil)
	for i := range bytes {
		if u := engine.Half(i); m.Has(u) {
			_, without := m.Size(engine.Drop{u})
			bytes[i] = all - without
		}
	}
	return bytes
}

// ChooseHalves picks the halves that a rule drops by their scores, two a layer: in the order of the scores each that still fits into the bytes
// that the rule's layers have on average (of a search, its order as far as it fits; of angular, the run of as many halves as these layers
// have). bytes are those of HalfBytes; a half without any is never chosen, nor is one of a protected layer.
func ChooseHalves(scores avss.Scores, rule Rule, protect Protect, bytes []int64) (*Plan, error) {
	layers := len(bytes) / 2
	if rule.Listed() {
		return ListedUnits(layers, rule, protect)
	}
	if err := protect.check(layers); err != nil {
		return nil, err
	}
	if len(scores.Values) != len(bytes) {
		return nil, fmt.Errorf("prune: %s: scores of %d units, want %d halves of layers: score the model with sub-layers", scores.Key(), len(scores.Values), len(bytes))
	}
	for i, v := range scores.Values {
		if math.IsNaN(v) && bytes[i] > 0 {
			return nil, fmt.Errorf("prune: %s: %s has no score (NaN): score the model again", scores.Key(), engine.Half(i))
		}
	}
	var dropped []int
	var err error
	halves := Protect{2 * protect.First, 2 * protect.Last}
	switch {
	case rule.mass != nil:
		dropped, err = byMass(scores, rule, halves)
	case len(scores.Distance) > 0:
		dropped, err = contiguousHalves(scores, rule, protect)
	default:
		dropped, err = fitting(scores, rule, protect, bytes)
	}
	if err != nil {
		return nil, err
	}
	dropped = slices.DeleteFunc(dropped, func(i int) bool { return bytes[i] == 0 })
	slices.Sort(dropped)
	if len(engine.Halves(dropped...).Layers()) == layers || len(dropped) == 0 {
		return nil, rule.refuse("%d of %d halves of layers would go: at least one must go and one must stay", len(dropped), len(bytes))
	}
	plan := newHalvesPlan(layers, dropped, scores, rule, protect)
	plan.Metric = scores.Key()
	return plan, nil
}

// fitting takes halves in the order of their scores, or of a search, each that still fits.
func fitting(scores avss.Scores, rule Rule, protect Protect, bytes []int64) ([]int, error) {
	layers := len(bytes) / 2
	n, err := wanted(layers, rule, protect)
	if err != nil {
		return nil, err
	}
	all := int64(0)
	for _, b := range bytes {
		all += b
	}
	room := int64(math.Ceil(float64(all) * float64(n) / float64(layers)))
	order := unprotected(scores.Ranking(), Protect{2 * protect.First, 2 * protect.Last})
	if len(scores.Order) > 0 {
		order = scores.Order
	}
	var out []int
	for _, i := range order {
		switch {
		case protect.holds(i/2, layers):
			return nil, &Refused{AskedProtection, protect.String(), fmt.Sprintf("%s dropped %s, which is of one of them: search again with the same layers "+
				"protected, for what follows depends on it", scores.Metric, engine.Half(i))}
		case bytes[i] == 0:
		case bytes[i] <= room:
			out, room = append(out, i), room-bytes[i]
		case len(scores.Order) > 0: // what a search dropped next depends on this
			return out, nil
		}
	}
	return out, nil
}

func contiguousHalves(scores avss.Scores, rule Rule, protect Protect) ([]int, error) {
	layers := len(scores.Values) / 2
	n, err := wanted(layers, rule, protect)
	if err != nil {
		return nil, err
	}
	best, err := avss.BestBlock(scores.Distance, 2*n, 2*protect.First, 2*(layers-protect.Last))
	if err != nil {
		return nil, err
	}
	var out []int
	for i := range 2 * n {
		out = append(out, best.Start+i)
	}
	return out, nil
}

// ListedUnits is the plan of a rule that names what goes, halves among it or not, for a model of so many layers.
func ListedUnits(layers int, rule Rule, protect Protect) (*Plan, error) {
	if len(rule.halves) == 0 {
		return Listed(layers, rule, protect)
	}
	if err := protect.check(layers); err != nil {
		return nil, err
	}
	for _, u := range rule.halves {
		switch {
		case u.Layer >= layers:
			return nil, rule.refuse("layer %d does not exist: the model has the layers 0 to %d", u.Layer, layers-1)
		case protect.holds(u.Layer, layers):
			return nil, rule.refuse("layer %d is one of %s: leave it out of the list or protect less", u.Layer, protect)
		}
	}
	if len(rule.halves.Layers()) == layers {
		return nil, rule.refuse("all %d layers would go and at least one must stay: drop at most %d", layers, layers-1)
	}
	return newHalvesPlan(layers, rule.halves.Numbers(), avss.Scores{}, rule, protect), nil
}

func newHalvesPlan(layers int, dropped []int, scores avss.Scores, rule Rule, protect Protect) *Plan {
	p := &Plan{Unit: Sublayer, Rule: rule.String(), Dropped: dropped, Kept: engine.Layers(dropped...).Without(2 * layers)}
	if protect != (Protect{}) {
		p.Rule += ", " + protect.String() + " protected"
	}
	p.Warnings = warnings(p, scores, Protect{2 * protect.First, 2 * protect.Last})
	return p
}
