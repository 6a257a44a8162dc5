package prune

// How many layers shall go, or which, as a person types it.

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"avssnative/engine"
)

// Rule says how many layers go, or which. Make one with ParseRule, ParseMass, Count or Layers.
type Rule struct {
	text   string
	share  *big.Rat // of the number of layers
	count  int
	layers []int
	halves engine.Drop // what is listed where halves of layers are among it; layers is then empty
	mass   *big.Rat    // of the sum of all scores
}

// Count is the rule that drops n layers.
func Count(n int) Rule { return Rule{text: strconv.Itoa(n), count: n} }

// Layers is the rule that drops these layers.
func Layers(layers ...int) Rule {
	words := make([]string, len(layers))
	for i, l := range layers {
		words[i] = strconv.Itoa(l)
	}
	return Rule{text: strings.Join(words, ","), layers: append([]int{}, layers...)}
}

// Units is the rule that drops these layers and halves of layers.
func Units(drop engine.Drop) Rule {
	if drop.Whole() {
		return Layers(drop.Layers()...)
	}
	return Rule{text: drop.String(), halves: drop}
}

// ParseRule reads a share of the layers ("25%", rounded half up, at least one layer), a number of layers ("8") or a list of layers counted
// from 0 ("3,7,11"; a single one is "8,"), of which only the attention or the MLP may be meant ("7.attn,11.mlp").
func ParseRule(text string) (Rule, error) {
	refuse := func(why string) (Rule, error) {
		return Rule{}, &Refused{AskedRule, fmt.Sprintf("%.40q", text), why + "; give a share such as 25%, a number of layers such as 8, or a list such as 3,7.attn,11.mlp"}
	}
	word := strings.TrimSpace(text)
	if number, percent := strings.CutSuffix(word, "%"); percent {
		share, why := parsePercent(number)
		if why != "" {
			return refuse(why)
		}
		return Rule{text: word, share: share}, nil
	}
	if strings.Contains(word, ".") && strings.ContainsFunc(word, unicode.IsLetter) {
		units, err := engine.ParseDrop(strings.TrimSuffix(word, ","))
		if err != nil {
			return refuse(strings.TrimPrefix(err.Error(), "engine: "))
		}
		return Rule{text: word, halves: units}, nil
	}
	if !strings.Contains(word, ",") {
		n, why := parseNumber(word)
		switch {
		case why != "":
			return refuse(why)
		case n == 0:
			return refuse("drops nothing")
		}
		return Rule{text: word, count: n}, nil
	}
	var layers []int
	for _, item := range strings.Split(strings.TrimSuffix(word, ","), ",") {
		n, why := parseNumber(strings.TrimSpace(item))
		switch {
		case why != "":
			return refuse(why)
		case slices.Contains(layers, n):
			return refuse(fmt.Sprintf("layer %d stands there twice", n))
		}
		layers = append(layers, n)
	}
	return Rule{text: word, layers: layers}, nil
}

// ParseMass reads a share of the score mass ("5%"): the lowest scores go as long as their sum is at most that share of the sum of all.
func ParseMass(text string) (Rule, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	share, why := parsePercent(number)
	if !percent && why == "" {
		why = "has no % sign"
	}
	if why != "" {
		return Rule{}, &Refused{AskedMass, fmt.Sprintf("%.40q", text), why + "; give a share of the sum of all scores such as 5%"}
	}
	return Rule{text: strings.TrimSpace(text), mass: share}, nil
}

// parsePercent reads a decimal number above 0 and at most 100 as a fraction, exactly.
func parsePercent(word string) (share *big.Rat, why string) {
	word = strings.TrimSpace(word)
	if word == "" || len(word) > 20 || strings.Trim(word, "0123456789.") != "" {
		return nil, "is no decimal number of per cent"
	}
	share, ok := new(big.Rat).SetString(word)
	switch {
	case !ok:
		return nil, "is no decimal number of per cent"
	case share.Sign() == 0:
		return nil, "drops nothing"
	case share.Cmp(big.NewRat(100, 1)) > 0:
		return nil, "is more than 100 %"
	}
	return share.Quo(share, big.NewRat(100, 1)), ""
}

func parseNumber(word string) (n int, why string) {
	if word == "" || strings.Trim(word, "0123456789") != "" {
		return 0, fmt.Sprintf("%.20q is no whole number", word)
	}
	n, err := strconv.Atoi(word)
	if err != nil || n > 1<<30 {
		return 0, fmt.Sprintf("%.20s is larger than any model's number of layers", word)
	}
	return n, ""
}

// String is the rule as it was typed; a share of the scores' sum is told from one of the layers.
func (r Rule) String() string {
	if r.mass != nil {
		return "mass " + r.text
	}
	return r.text
}

// refuse is why the rule cannot be followed.
func (r Rule) refuse(format string, values ...any) error {
	asked := AskedRule
	if r.mass != nil {
		asked = AskedMass
	}
	return &Refused{asked, r.text, fmt.Sprintf(format, values...)}
}

// Check returns a *Refused if no scores of so many layers could make the rule one that can be followed.
func (r Rule) Check(layers int, protect Protect) error {
	if err := protect.check(layers); err != nil {
		return err
	}
	var err error
	switch {
	case r.Listed():
		_, err = ListedUnits(layers, r, protect)
	case r.mass == nil:
		_, err = wanted(layers, r, protect)
	case protect == Protect{} && r.mass.Cmp(big.NewRat(1, 1)) == 0:
		err = r.refuse("all %d layers would go and at least one must stay: lower the share", layers)
	}
	return err
}

// Number is how many of so many layers go: what a search is to look for. A rule by mass has no number, which is 0.
func (r Rule) Number(layers int, protect Protect) (int, error) {
	switch {
	case r.Listed():
		return len(r.layers), r.Check(layers, protect)
	case r.mass != nil:
		return 0, r.Check(layers, protect)
	}
	return wanted(layers, r, protect)
}

// Listed says whether the rule names the layers itself and so needs no scores.
func (r Rule) Listed() bool { return r.layers != nil || r.halves != nil }

// Halves says whether the rule names halves of layers.
func (r Rule) Halves() bool { return r.halves != nil }

// number is how many of so many layers go. Not for rules by list or mass.
func (r Rule) number(layers int) (int, error) {
	n := r.count
	if r.share != nil {
		exact := new(big.Rat).Mul(r.share, new(big.Rat).SetInt64(int64(layers)))
		exact.Add(exact, big.NewRat(1, 2))
		n = max(1, int(new(big.Int).Quo(exact.Num(), exact.Denom()).Int64()))
	}
	switch {
	case n < 1:
		return 0, r.refuse("%d layers: give a share such as 25%%, a number of layers such as 8, or a list such as 3,7,11", n)
	case n >= layers:
		return 0, r.refuse("%d of %d layers would go and at least one must stay: drop at most %d", n, layers, layers-1)
	}
	return n, nil
}

// listed checks the rule's own layers and returns them in ascending order.
func (r Rule) listed(layers int, p Protect) ([]int, error) {
	out := slices.Clone(r.layers)
	slices.Sort(out)
	for i, l := range out {
		switch {
		case l < 0 || l >= layers:
			return nil, r.refuse("layer %d does not exist: the model has the layers 0 to %d", l, layers-1)
		case i > 0 && out[i-1] == l:
			return nil, r.refuse("layer %d stands there twice: name each layer once", l)
		case p.holds(l, layers):
			return nil, r.refuse("layer %d is one of %s: leave it out of the list or protect less", l, p)
		}
	}
	switch {
	case len(out) == 0:
		return nil, r.refuse("the list is empty: name at least one layer")
	case len(out) >= layers:
		return nil, r.refuse("all %d layers would go and at least one must stay: drop at most %d", layers, layers-1)
	}
	return out, nil
}

// Protect keeps layers at both ends whatever their scores.
type Protect struct{ First, Last int }

// String says which layers stay, as "the first 2 and the last 1".
func (p Protect) String() string {
	var words []string
	if p.First != 0 {
		words = append(words, fmt.Sprintf("the first %d", p.First))
	}
	if p.Last != 0 {
		words = append(words, fmt.Sprintf("the last %d", p.Last))
	}
	return strings.Join(words, " and ")
}

// holds says whether one of so many layers is protected.
func (p Protect) holds(layer, layers int) bool { return layer < p.First || layer >= layers-p.Last }

// check says why a protection cannot be.
func (p Protect) check(layers int) error {
	switch {
	case layers < 1:
		return fmt.Errorf("prune: there are scores of no layer: score a model first")
	case p.First < 0 || p.Last < 0:
		return &Refused{AskedProtection, p.String(), "give a number of layers from 0 on"}
	case p.First >= layers || p.Last >= layers || p.First+p.Last >= layers:
		return &Refused{AskedProtection, p.String(), fmt.Sprintf("protects all %d layers: protect fewer", layers)}
	}
	return nil
}

// Keep lists the protected ones of so many layers, for a search that must not try them.
func (p Protect) Keep(layers int) []int {
	var out []int
	for l := range layers {
		if p.holds(l, layers) {
			out = append(out, l)
		}
	}
	return out
}
