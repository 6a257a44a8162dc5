package report

import (
	"math"

	"avssnative/avss"
)

// mostPairs is how many pairs of scores are compared to make a table, a second's work.
const mostPairs = 1 << 29

// agreement is Kendall's τ between every two rankings: as a sweep found it, else of the scores by layer. None of fewer
// than two, nor of more than can be compared while a page is made.
func (r *Report) agreement() (names []Cell, tau []avss.Values) {
	if s := r.Sweep; s != nil && len(s.Metrics) > 0 {
		for _, name := range s.Metrics {
			names = append(names, Text(name))
		}
		return names, s.Tau
	}
	keys := r.Keys()
	if work := float64(len(keys)) * float64(r.rows()); len(keys) < 2 || work*work > mostPairs {
		return nil, nil
	}
	ranks := make([][]float64, len(keys))
	for i, key := range keys {
		names = append(names, r.term(key))
		ranks[i] = make([]float64, len(r.Scores[key].Values))
		for layer, v := range r.Scores[key].Values {
			if ranks[i][layer] = v; r.firstToGo(key) == "highest" {
				ranks[i][layer] = -v
			}
		}
	}
	for _, a := range ranks {
		row := make(avss.Values, len(ranks))
		for i, b := range ranks {
			row[i] = avss.KendallTau(a, b)
		}
		tau = append(tau, row)
	}
	return names, tau
}

// agreementTable has numbers over its columns, which the rows explain: names would not fit.
func (r *Report) agreementTable() (Table, bool) {
	names, tau := r.agreement()
	if len(names) == 0 {
		return Table{}, false
	}
	t := Table{Title: "Agreement between metrics (Kendall's τ)", single: r.Sweep == nil || len(r.Sweep.Metrics) == 0,
		Note: "1: both would drop the layers in the same order; 0: the orders have nothing to do with each other; −1: one is the reverse of the other."}
	t.column("metric", "metric")
	for i, name := range names {
		t.column(name.values()[0].(string), Count(i+1).String())
		cells := []Cell{Numbered{i + 1, name.values()[0].(string), shown(name)}}
		for _, v := range tau[i] {
			cells = append(cells, Correlation{Number{Value: v, Places: 2}})
		}
		t.add(cells...)
	}
	return t, true
}

// Correlation is a number from −1 to 1, which a page shades by how far it is from 0.
type Correlation struct{ Number }

// shade is how dark, from −1 to 1.
func (c Correlation) shade() float64 {
	if math.IsNaN(c.Value) {
		return 0
	}
	return max(-1, min(1, c.Value))
}
