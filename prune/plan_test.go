package prune

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/avss"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func rule(t testing.TB, text string) Rule {
	parse := ParseRule
	if mass, ok := strings.CutPrefix(text, "mass "); ok {
		text, parse = mass, ParseMass
	}
	r, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// of makes scores whose intervals are the scores themselves.
func of(metric string, values ...float64) avss.Scores {
	return avss.Scores{Metric: metric, Values: values, Low: slices.Clone(values), High: slices.Clone(values)}
}

func TestShareIsRoundedHalfUp(t *testing.T) {
	for _, c := range []struct {
		text         string
		layers, want int
	}{
		{"25%", 32, 8}, {"25%", 16, 4}, {"25%", 22, 6}, {"25%", 10, 3}, {"25%", 9, 2}, {"12.5%", 20, 3}, {"12.49%", 20, 2}, {"0.1%", 20, 1}, {"5%", 2, 1},
		{"50%", 3, 2}, {" 30 %", 5, 2}, {"8", 16, 8}, {"1", 2, 1}, {"33.333333333333%", 3, 1},
	} {
		n, err := rule(t, c.text).number(c.layers)
		if err != nil || n != c.want {
			t.Errorf("%s of %d layers: %d, %v, want %d", c.text, c.layers, n, err, c.want)
		}
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	ramp := of("bi", 5, 1, 4, 2, 3, 6)
	choose := func(text string, p Protect) func() error {
		return func() error {
			r, err := ParseRule(text)
			if mass, ok := strings.CutPrefix(text, "mass "); ok {
				r, err = ParseMass(mass)
			}
			if err == nil {
				_, err = Choose(ramp, r, p)
			}
			return err
		}
	}
	greedy := (&avss.Greedy{Layers: 6, Order: []int{5, 2}, Losses: []float64{1, 2}}).Scores()
	for _, c := range []struct {
		want string
		do   func() error
	}{
		{`drop "": "" is no whole number; give a share such as 25%`, choose("", Protect{})},
		{`is no whole number`, choose("three", Protect{})},
		{`is no whole number`, choose("-3", Protect{})},
		{`is no whole number`, choose("2.5", Protect{})},
		{`is no whole number`, choose("NaN", Protect{})},
		{`is no decimal number of per cent`, choose("NaN%", Protect{})},
		{`is no decimal number of per cent`, choose("-5%", Protect{})},
		{`is no decimal number of per cent`, choose("1e999999999%", Protect{})},
		{`is no decimal number of per cent`, choose("1.2.3%", Protect{})},
		{`is no decimal number of per cent`, choose("%", Protect{})},
		{`is more than 100 %`, choose("100.01%", Protect{})},
		{`drops nothing`, choose("0%", Protect{})},
		{`drops nothing`, choose("0", Protect{})},
		{`larger than any model's`, choose("99999999999999999999", Protect{})},
		{`6 of 6 layers would go and at least one must stay: drop at most 5`, choose("100%", Protect{})},
		{`6 of 6 layers would go and at least one must stay: drop at most 5`, choose("6", Protect{})},
		{`all 6 layers would go`, choose("0,1,2,3,4,5", Protect{})},
		{`layer 6 does not exist: the model has the layers 0 to 5`, choose("2,6", Protect{})},
		{`layer 2 stands there twice`, choose("2,3,2", Protect{})},
		{`"" is no whole number`, choose("2,,3", Protect{})},
		{`layer 1 is one of the first 2: leave it out`, choose("1,3", Protect{First: 2})},
		{`5 of 6 layers would go, but protecting the first 1 and the last 1 leaves only 4`, choose("5", Protect{1, 1})},
		{`protects all 6 layers`, choose("1", Protect{3, 3})},
		{`give a number of layers from 0 on`, choose("1", Protect{First: -1})},
		{`drop by mass "5": has no % sign`, choose("mass 5", Protect{})},
		{`drop by mass 1%: the lowest score alone, layer 1's, is 4.76 % of all`, choose("mass 1%", Protect{})},
		{`drop by mass 100%: all 6 layers would go`, choose("mass 100%", Protect{})},
		{`scores of greedy have no mass`, func() error { _, err := Choose(greedy, rule(t, "mass 5%"), Protect{}); return err }},
		{`the search by greedy ended after 2 rounds`, func() error { _, err := Choose(greedy, rule(t, "3"), Protect{}); return err }},
		{`protect the last 1: greedy dropped layer 5`, func() error { _, err := Choose(greedy, rule(t, "2"), Protect{Last: 1}); return err }},
		{`layer 1 has no score (NaN)`, func() error { _, err := Choose(of("bi", 1, math.NaN(), 2), rule(t, "1"), Protect{}); return err }},
		{`scores of no layer`, func() error { _, err := Lowest(nil, rule(t, "1")); return err }},
		{`the scores of bi sum to zero`, func() error { _, err := Choose(of("bi", 0, 0), rule(t, "mass 5%"), Protect{}); return err }},
		{`no layer with a finite score may go`, func() error {
			_, err := Choose(of("bi", 1, math.Inf(1)), rule(t, "mass 50%"), Protect{First: 1})
			return err
		}},
		{`0 layers: give a share`, func() error { _, err := Lowest([]float64{1, 2}, Rule{}); return err }},
		{`the list is empty`, func() error { _, err := Listed(4, Layers(), Protect{}); return err }},
	} {
		err := c.do()
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "prune: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

func TestChoose(t *testing.T) {
	inf := math.Inf(1)
	for name, c := range map[string]struct {
		scores  avss.Scores
		rule    string
		protect Protect
		want    []int
	}{
		"lowest":             {of("bi", 5, 1, 4, 2, 3, 6), "2", Protect{}, []int{1, 3}},
		"ties by layer":      {of("bi", 1, 1, 1, 1, 0), "3", Protect{}, []int{0, 1, 4}},
		"protected":          {of("bi", 5, 1, 4, 2, 3, 0), "2", Protect{2, 1}, []int{3, 4}},
		"infinite last":      {of("avss", inf, 9, inf, 8, 7), "3", Protect{}, []int{1, 3, 4}},
		"list":               {of("bi", 5, 1, 4, 2, 3, 6), "5,0", Protect{}, []int{0, 5}},
		"list of one":        {of("bi", 5, 1, 4, 2, 3, 6), "4,", Protect{}, []int{4}},
		"mass":               {of("bi", 50, 1, 30, 4, 15), "mass 5%", Protect{}, []int{1, 3}},
		"mass to the brim":   {of("bi", 50, 1, 30, 4, 15), "mass 20%", Protect{}, []int{1, 3, 4}},
		"mass of the finite": {of("avss", 50, 1, inf, 30, 4, 15), "mass 5%", Protect{}, []int{1, 4}},
		"mass below zero":    {of("bi", 50, -1e-17, 30, 4, 15, 1), "mass 5%", Protect{}, []int{1, 3, 5}},
	} {
		p, err := Choose(c.scores, rule(t, c.rule), c.protect)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, p.Dropped); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Fault 1 of the published code: it sums the scores in the order of layers and cuts before it sorts, so that it always drops a prefix.
func TestSortingComesBeforeTheCut(t *testing.T) {
	falling := of("avss", 8, 7, 6, 5, 4, 3, 2, 1)
	for text, want := range map[string][]int{"25%": {6, 7}, "mass 25%": {5, 6, 7}} {
		p, err := Choose(falling, rule(t, text), Protect{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, p.Dropped); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// Fault 2: a quarter of the score mass of a profile that grows exponentially is nearly all layers; a quarter of the layers is a quarter.
func TestShareOfLayersIsNotShareOfMass(t *testing.T) {
	values := make([]float64, 32)
	for l := range values {
		values[l] = math.Exp(0.6 * float64(l))
	}
	byCount, err := Lowest(values, rule(t, "25%"))
	if err != nil {
		t.Fatal(err)
	}
	byMass, err := Lowest(values, rule(t, "mass 25%"))
	if err != nil {
		t.Fatal(err)
	}
	if len(byCount) != 8 || len(byMass) != 29 {
		t.Errorf("by count %d, by mass %d layers go, want 8 and 29", len(byCount), len(byMass))
	}
}

func TestContiguousAndGreedy(t *testing.T) {
	const layers = 6
	angular := of("angular", 1, 1, 1, 1, 1, 1)
	for start := range layers {
		row := make(avss.Values, layers+1)
		for end := range row {
			row[end] = 0.5
			if end <= start {
				row[end] = math.NaN()
			}
		}
		angular.Distance = append(angular.Distance, row)
	}
	angular.Distance[0][2], angular.Distance[3][5] = 0.1, 0.2
	greedy := (&avss.Greedy{Layers: layers, Order: []int{5, 2, 3}, Losses: []float64{1, 2, 3}}).Scores()
	for _, c := range []struct {
		scores  avss.Scores
		rule    string
		protect Protect
		want    []int
	}{
		{angular, "2", Protect{}, []int{0, 1}},
		{angular, "2", Protect{First: 1}, []int{3, 4}},
		{angular, "2", Protect{First: 1, Last: 2}, []int{1, 2}},
		{angular, "5", Protect{Last: 1}, []int{0, 1, 2, 3, 4}},
		{greedy, "1", Protect{}, []int{5}},
		{greedy, "50%", Protect{}, []int{2, 3, 5}},
	} {
		p, err := Choose(c.scores, rule(t, c.rule), c.protect)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, p.Dropped); diff != "" {
			t.Errorf("%s %s: %s", c.scores.Metric, p.Rule, diff)
		}
	}
}

func TestWarnings(t *testing.T) {
	values := []float64{2, 1, 3, 4, 5, 6, 7, 8, 9, 10}
	trap := of("avss", values...)
	trap.Mode, trap.Site = "paper", "block"
	wide := of("bi", 9, 8, 1, 2, 3, 4, 5, 10)
	wide.High[3], wide.Low[4] = 3.5, 2.5
	for name, c := range map[string]struct {
		scores  avss.Scores
		rule    string
		protect Protect
		want    []string
	}{
		"trap":        {trap, "1", Protect{}, []string{"the scores of avss-paper-block rise with depth (Spearman 0.988)", "layer 1 goes"}},
		"trap, safe":  {trap, "1", Protect{First: 2}, []string{"rise with depth"}},
		"baseline":    {of("first", values...), "1", Protect{First: 2}, nil},
		"falling":     {of("bi", 10, 9, 8, 7, 6, 5, 4, 3, 2, 1), "2", Protect{}, []string{"layer 9 goes: it is the last"}},
		"few":         {of("bi", 1, 2, 3), "1", Protect{First: 1}, []string{"layer 1 goes"}},
		"list":        {of("bi", values...), "0,5", Protect{}, []string{"layer 0 goes: the first two"}},
		"apart":       {wide, "1", Protect{}, nil},
		"overlapping": {wide, "2", Protect{}, []string{"layer 3 goes and layer 4 stays, but their scores differ by less than their intervals (2 to 3.5, 2.5 to 3)"}},
		"infinite":    {avss.Scores{Metric: "avss", Values: []float64{math.Inf(1), math.Inf(1), 1, math.Inf(1), math.Inf(1)}}, "2", Protect{First: 3}, []string{"layer 4 goes: it is the last", "layer 3 goes although its score is infinite"}},
	} {
		p, err := Choose(c.scores, rule(t, c.rule), c.protect)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(p.Warnings) != len(c.want) {
			t.Errorf("%s: %d warnings %q, want %d", name, len(p.Warnings), p.Warnings, len(c.want))
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(p.Warnings[i], want) {
				t.Errorf("%s: %q, want %q", name, p.Warnings[i], want)
			}
		}
	}
}

func TestPlanAsJSON(t *testing.T) {
	p, err := Choose(of("bi", 4, 3, 1, 2), rule(t, "25%"), Protect{First: 1})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"metric":"bi","rule":"25%, the first 1 protected","dropped":[2],"kept":[0,1,3],"warnings":[]}`
	if string(data) != want {
		t.Errorf("%s, want %s", data, want)
	}
}

// Whatever is scored and asked for: an error, or a plan that splits the layers, drops what was asked and nothing protected, and drops no
// layer with a higher score than a free one that it keeps.
func TestAnyPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 1, 2, 3, 4, 5, math.Inf(1)}), 1, 12).Draw(t, "values")
		layers := len(values)
		protect := Protect{rapid.IntRange(0, 3).Draw(t, "first"), rapid.IntRange(0, 3).Draw(t, "last")}
		n := rapid.IntRange(1, 13).Draw(t, "n")
		p, err := Choose(avss.Scores{Metric: "bi", Values: values}, Count(n), protect)
		if possible := n < layers && n <= layers-protect.First-protect.Last; possible != (err == nil) {
			t.Fatalf("%d of %d layers, %s: %v", n, layers, protect, err)
		}
		if err != nil {
			return
		}
		both := slices.Concat(p.Dropped, p.Kept)
		slices.Sort(both)
		if len(p.Dropped) != n || len(both) != layers || both[0] != 0 || both[layers-1] != layers-1 || len(slices.Compact(both)) != layers {
			t.Fatalf("dropped %v, kept %v", p.Dropped, p.Kept)
		}
		for _, d := range p.Dropped {
			if protect.holds(d, layers) || slices.Contains(protect.Keep(layers), d) {
				t.Fatalf("protected layer %d goes", d)
			}
			for _, k := range p.Kept {
				if !protect.holds(k, layers) && (values[k] < values[d] || values[k] == values[d] && k < d) {
					t.Fatalf("layer %d goes with %v and layer %d stays with %v", d, values[d], k, values[k])
				}
			}
		}
	})
}

func FuzzRule(f *testing.F) {
	for _, text := range []string{"25%", "8", "3,7,11", "8,", "NaN%", "1e9%", "-1", "0.5%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func(string) (Rule, error){ParseRule, ParseMass} {
			r, err := parse(text)
			if err != nil {
				continue
			}
			if p, err := Choose(of("bi", 3, 1, 4, 1, 5), r, Protect{}); err == nil && (len(p.Dropped) == 0 || len(p.Kept) == 0) {
				t.Fatalf("%q drops %v and keeps %v", text, p.Dropped, p.Kept)
			}
		}
	})
}
