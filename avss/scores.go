package avss

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
)

// Scores is one score a layer, the lowest to go first unless the metric's definition says otherwise, and how far it can be believed.
type Scores struct {
	Metric     string   `json:"metric"`
	Site       string   `json:"site,omitempty"` // the tensor scored, of a metric that scores several
	Mode       string   `json:"mode,omitempty"` // the formula or convention
	Eps        Value    `json:"eps,omitzero"`   // avss: the threshold of sparsity
	Values     Values   `json:"values"`
	Low        Values   `json:"low,omitempty"` // 2.5 % bootstrap quantile a layer; empty where fewer than two buckets hold sequences
	High       Values   `json:"high,omitempty"`
	Tau        Value    `json:"tau"`       // Kendall's τ-b between the scores of the even and of the odd sequences; NaN where there is none
	Sequences  int64    `json:"sequences"` // measured
	Dense      Value    `json:"dense,omitzero"`
	Order      []int    `json:"order,omitempty"`    // greedy: the layers in the order in which they went
	Losses     Values   `json:"losses,omitempty"`   // greedy: nats a token after each went
	Sets       []Set    `json:"sets,omitempty"`     // search: the best set found for some numbers of layers, ascending
	Proposed   []Set    `json:"proposed,omitempty"` // search: what the sets that others name cost by its measure
	Distance   []Values `json:"distance,omitempty"` // angular: [start][end], the block start to end−1 dropped; NaN where end ≤ start
	Notes      []string `json:"notes,omitempty"`    // what a reader must know about these scores
	References []string `json:"ref,omitempty"`      // arXiv numbers
}

// Set is layers that go together.
type Set struct {
	Layers []int  `json:"layers"`        // ascending
	Cost   Value  `json:"cost"`          // nats a token, or a question, as the search measured it
	By     string `json:"by"`            // how it was found
	Per    string `json:"per,omitempty"` // what the cost is shared over: "question"; empty: token
}

// Price is the cost in words.
func (s Set) Price() string {
	per := "token"
	if s.Per != "" {
		per = s.Per
	}
	return fmt.Sprintf("%.4f nats a %s", float64(s.Cost), per)
}

// Key names the scores in a file: the metric, and mode and site where there are some and they are not the defaults.
func (s Scores) Key() string {
	if s.Site == "" || s.Mode == string(Robust) && s.Site == string(SiteDelta) {
		return s.Metric
	}
	return s.Metric + "-" + s.Mode + "-" + s.Site
}

// Ranking is the layers in the order in which they would go: lowest score first, or highest where the metric is defined so; equal scores by
// layer.
func (s Scores) Ranking() []int { return Ranking(s.Importance()) }

// Importance is the scores as what speaks for keeping each layer: the values, or their opposites where the highest go first.
func (s Scores) Importance() []float64 {
	if !s.HighestFirst() {
		return s.Values
	}
	out := make([]float64, len(s.Values))
	for l, v := range s.Values {
		out[l] = -v
	}
	return out
}

// HighestFirst says that the layers with the highest scores go first.
func (s Scores) HighestFirst() bool { return registry[s.Metric].HighestFirst }

// Normalised is every finite score's share of their sum (NAVSS, arXiv 2411.02117 equation 4); an infinite score stays infinite. All NaN
// where the sum is zero.
func (s Scores) Normalised() Values {
	var sum Sum
	for _, v := range s.Values {
		if !math.IsInf(v, 0) {
			sum.Add(v)
		}
	}
	out := slices.Clone(s.Values)
	for i, v := range out {
		if total := sum.Float64(); total == 0 {
			out[i] = math.NaN()
		} else if !math.IsInf(v, 0) {
			out[i] = v / total
		}
	}
	return out
}

// Ranking is the layers, lowest score first; equal scores by layer.
func Ranking(scores []float64) []int {
	out := all(len(scores))
	sort.SliceStable(out, func(a, b int) bool { return scores[out[a]] < scores[out[b]] })
	return out
}

// Value is a number that JSON can carry: NaN is null, infinities are "inf" and "-inf".
type Value float64

// IsZero lets a zero be left out.
func (v Value) IsZero() bool { return v == 0 }

// MarshalJSON writes the shortest form that reads back as the same number.
func (v Value) MarshalJSON() ([]byte, error) {
	switch f := float64(v); {
	case math.IsNaN(f):
		return []byte("null"), nil
	case math.IsInf(f, 1):
		return []byte(`"inf"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-inf"`), nil
	default:
		return json.Marshal(f)
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (v *Value) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "null":
		*v = Value(math.NaN())
	case `"inf"`:
		*v = Value(math.Inf(1))
	case `"-inf"`:
		*v = Value(math.Inf(-1))
	default:
		var f float64
		if err := json.Unmarshal(data, &f); err != nil {
			return fmt.Errorf("%.40s is no number, null, \"inf\" or \"-inf\"", data)
		}
		*v = Value(f)
	}
	return nil
}

// Values are numbers, written as Value writes them.
type Values []float64

// MarshalJSON writes an array.
func (v Values) MarshalJSON() ([]byte, error) {
	out := make([]Value, len(v))
	for i, f := range v {
		out[i] = Value(f)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads an array.
func (v *Values) UnmarshalJSON(data []byte) error {
	var in []Value
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*v = make(Values, len(in))
	for i, f := range in {
		(*v)[i] = float64(f)
	}
	return nil
}
