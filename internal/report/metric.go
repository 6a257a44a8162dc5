package report

// How metrics are named and in which order they are shown. A metric that this package has never heard of is shown as any other.

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"avssnative/avss"
)

// Metric is what a reader must know of a metric beside its scores. The zero value is a number without a unit, of which the lowest go first.
type Metric struct {
	Label        string          `json:"label,omitempty"` // what a person calls it; empty: its name
	Unit         string          `json:"unit,omitempty"`
	HighestFirst bool            `json:"highest_first,omitempty"` // the layers with the highest scores go first
	Papers       []avss.Citation `json:"papers,omitempty"`
}

// paperKey is the key of the published formula on what it was published for.
const paperKey = "avss-paper-block"

// Keys are the scores in the order they are shown: the one that chose, AVSS's formulas, the others by name.
func (r *Report) Keys() []string {
	keys := make([]string, 0, len(r.Scores))
	for key := range r.Scores {
		keys = append(keys, key)
	}
	place := func(key string) int {
		switch {
		case r.Plan != nil && key == r.Plan.Metric:
			return 0
		case key == "avss":
			return 1
		case key == paperKey:
			return 2
		case r.Scores[key].Metric != "avss":
			return 3
		}
		return 4
	}
	sort.Slice(keys, func(i, j int) bool {
		if a, b := place(keys[i]), place(keys[j]); a != b {
			return a < b
		}
		return keys[i] < keys[j]
	})
	return keys
}

// shown are the scores that have a column of their own: what chose, the default, the published formula, and one of each other metric.
func (r *Report) shown() []string {
	var keys []string
	for _, key := range r.Keys() {
		if s := r.Scores[key]; s.Metric != "avss" || key == "avss" || key == paperKey || r.Plan != nil && r.Plan.Metric == key {
			keys = append(keys, key)
		}
	}
	return keys
}

// about is what there is to know of a metric: what the report says of it, or the metric's own definition.
func (r *Report) about(metric string) Metric {
	if m, has := r.Metrics[metric]; has {
		return m
	}
	d, err := avss.Lookup(metric)
	if err != nil {
		return Metric{}
	}
	return About(d)
}

// About is what a report says of a metric.
func About(d avss.Definition) Metric {
	return Metric{Unit: d.Unit, HighestFirst: d.HighestFirst, Papers: d.Papers}
}

// label is what a person calls a key of the scores.
func (r *Report) label(key string) string {
	s, known := r.Scores[key]
	switch {
	case key == "":
		return "named by hand"
	case known && r.about(s.Metric).Label != "":
		return r.about(s.Metric).Label
	case known && s.Metric == "avss":
		return fmt.Sprintf("AVSS %s, %s", s.Mode, s.Site)
	}
	return key
}

// term is a key with its label.
func (r *Report) term(key string) Term {
	if key == "" {
		return Term{"named_by_hand", r.label(key)}
	}
	return Term{key, r.label(key)}
}

// scoreHeading is the label with the unit of the scores.
func (r *Report) scoreHeading(key string) string {
	if unit := r.about(r.Scores[key].Metric).Unit; unit != "" {
		return r.label(key) + ", " + unit
	}
	return r.label(key)
}

// firstToGo says which end of the scores goes first.
func (r *Report) firstToGo(key string) string {
	if r.about(r.Scores[key].Metric).HighestFirst {
		return "highest"
	}
	return "lowest"
}

// depth is the rank correlation of a ranking with depth; not known of too few layers, of scores that are no numbers, and of rankings by place.
func (r *Report) depth(key string) (float64, bool) {
	s := r.Scores[key]
	if info, err := avss.Lookup(s.Metric); err == nil && info.Kind() == avss.Baseline || len(s.Values) < 4 {
		return 0, false
	}
	place := make([]float64, len(s.Values))
	for layer, v := range s.Values {
		if math.IsNaN(v) {
			return 0, false
		}
		place[layer] = float64(layer)
	}
	rho := avss.Spearman(s.Values, place)
	return rho, !math.IsNaN(rho)
}

// trapped says whether a ranking says no more than "the first layers first".
func (r *Report) trapped(key string) (float64, bool) {
	rho, known := r.depth(key)
	if r.about(r.Scores[key].Metric).HighestFirst {
		return rho, known && rho < -depthTrap
	}
	return rho, known && rho > depthTrap
}

// depthTrap is the rank correlation with depth from which a ranking says no more than "the first layers first".
const depthTrap = 0.95

// bibliography is the report's references and the papers of its metrics, each once.
func (r *Report) bibliography() []avss.Citation {
	all := slices.Clone(r.References)
	names := make([]string, 0, len(r.Metrics))
	for name := range r.Metrics {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, paper := range r.Metrics[name].Papers {
			if !slices.Contains(all, paper) {
				all = append(all, paper)
			}
		}
	}
	return all
}

// cite is a line of the bibliography.
func cite(c avss.Citation) string {
	line := fmt.Sprintf("%s (%d): %s.", c.Authors, c.Year, c.Title)
	if c.ArXiv != "" {
		line += " arXiv " + c.ArXiv
	}
	return line
}
