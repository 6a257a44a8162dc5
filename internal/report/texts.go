package report

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"avssnative/avss"
)

// Texts is what several calibration texts say side by side: which layers each would drop, and what each of these sets costs on every text.
type Texts struct {
	Metric  string            `json:"metric"` // the ranking's key (avss.Scores.Key)
	Unit    string            `json:"unit,omitempty"`
	Texts   []CalibrationText `json:"texts"`
	Sets    []TextSet         `json:"sets"`             // the first is that of all texts together
	Best    *int              `json:"best,omitempty"`   // of Sets: what costs least where it costs most; nil: not measured
	Bridged bool              `json:"bridged"`          // costs are with the gaps bridged, else of the plain cut
	Chosen  string            `json:"chosen,omitempty"` // what the plan follows: ByJoint or ByWorst; empty where there is none
}

// CalibrationText is one of several texts.
type CalibrationText struct {
	avss.CalibrationInfo
	Scores  map[string]avss.Scores `json:"scores,omitempty"`  // of this text, by its even sequences
	Dropped []int                  `json:"dropped,omitempty"` // what goes by it alone
	Weighed int                    `json:"weighed_tokens"`    // that sets are compared on
}

// TextSet is layers that go, and what they cost on every text.
type TextSet struct {
	By      []string    `json:"by"` // texts that name it, AllTexts, WorstRank
	Dropped []int       `json:"dropped"`
	Costs   avss.Values `json:"costs,omitempty"` // KL(dense ‖ pruned), nats a token, by text
	Worst   avss.Value  `json:"worst"`           // the most of these
}

// What a plan follows where there are several texts.
const (
	ByJoint = "joint" // the scores of all texts together
	ByWorst = "worst" // the set that costs least on the text where it costs most
)

// Sets that no single text names.
const (
	AllTexts  = "all texts together"
	WorstRank = "worst ranks over the texts"
)

// textSetTable is what each set costs on each text.
func (r *Report) textSetTable() (Table, bool) {
	if r.Texts == nil || len(r.Texts.Sets) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Several texts: what each one's choice costs on the others"}
	t.column("chosen_by", "chosen by")
	t.column("layers", "layers")
	measured := r.Texts.Best != nil
	if measured {
		for _, text := range r.Texts.Texts {
			t.column("kl "+text.Source, "on "+sourceName(text.Source))
		}
		t.column("worst", "worst")
		t.column("best", "")
	}
	for i, set := range r.Texts.Sets {
		names := make([]string, len(set.By))
		for k, by := range set.By {
			names[k] = sourceName(by)
		}
		cells := []Cell{Text(named(names, inNote)), units(set.Dropped, r.Texts.Unit, false)}
		if measured {
			for _, cost := range set.Costs {
				cells = append(cells, Number{Value: cost, Places: 4})
			}
			cells = append(cells, Number{Value: float64(set.Worst), Places: 4}, Mark{i == *r.Texts.Best, "best"})
		}
		t.add(cells...)
	}
	if !measured {
		return t, true
	}
	of := "of the plain cut"
	if r.Texts.Bridged {
		of = "with the gaps bridged"
	}
	var tokens []string
	for _, text := range r.Texts.Texts {
		tokens = append(tokens, fmt.Sprint(text.Weighed))
	}
	t.Note = fmt.Sprintf("Best: what costs least on the text where it costs most. KL(dense ‖ pruned) %s, in nats a token, on %s tokens of "+
		"the texts that no text's own scores have seen; those of all texts together have. ", of, strings.Join(tokens, ", "))
	switch r.Texts.Chosen {
	case ByWorst:
		t.Note += "The plan is the best set."
	case ByJoint:
		t.Note += "The plan follows all texts together."
	}
	return t, true
}

// textLayerTable is how often each layer is chosen over the texts.
func (r *Report) textLayerTable() (Table, bool) {
	if r.Texts == nil {
		return Table{}, false
	}
	t := Table{Title: "Several texts: how often each layer is chosen",
		Note: fmt.Sprintf("By %s, of each text alone; layers that none would drop are left out.", r.label(r.Texts.Metric))}
	t.column("layer", "layer")
	t.column("texts", "texts")
	t.column("which", "by")
	for unit := range unitsOf(r.Model.Layers, r.Texts.Unit) {
		var by []string
		for _, text := range r.Texts.Texts {
			if slices.Contains(text.Dropped, unit) {
				by = append(by, sourceName(text.Source))
			}
		}
		if len(by) > 0 {
			t.add(units([]int{unit}, r.Texts.Unit, false), Fraction{len(by), len(r.Texts.Texts)}, Text(named(by, inNote)))
		}
	}
	return t, len(t.Rows) > 0
}

// sourceName is a file's name and folder, not where somebody's disk has it.
func sourceName(source string) string {
	if parts := strings.Split(filepath.ToSlash(source), "/"); len(parts) > 2 {
		return strings.Join(parts[len(parts)-2:], "/")
	}
	return source
}

// texts refuses what no texts can be.
func (c *checker) texts(t *Texts, layers int) {
	if t == nil {
		return
	}
	c.unit(t.Unit, "texts.unit")
	layers = unitsOf(layers, t.Unit)
	c.length("texts.texts", len(t.Texts), maxRankings)
	c.length("texts.sets", len(t.Sets), maxRankings)
	if t.Best != nil && (*t.Best < 0 || *t.Best >= len(t.Sets)) {
		c.fail("texts.best", "%d of %d sets", *t.Best, len(t.Sets))
	}
	for i, text := range t.Texts {
		at := fmt.Sprintf("texts.texts[%d]", i)
		c.count(text.Sequences, maxCount, at, "sequences")
		c.count(text.Tokens, maxCount, at, "tokens")
		c.count(int64(text.Weighed), maxCount, at, "weighed_tokens")
		c.layers(text.Dropped, layers, at+".dropped")
		c.length(at+".scores", len(text.Scores), maxRankings)
	}
	for i, set := range t.Sets {
		at := fmt.Sprintf("texts.sets[%d]", i)
		c.layers(set.Dropped, layers, at+".dropped")
		c.length(at+".by", len(set.By), maxRankings)
		if t.Best != nil && len(set.Costs) != len(t.Texts) {
			c.fail(at+".costs", "%d of them for %d texts", len(set.Costs), len(t.Texts))
		}
		for _, cost := range append(slices.Clone(set.Costs), float64(set.Worst)) {
			c.number(cost, 0, math.Inf(1), at, "costs")
		}
	}
}
