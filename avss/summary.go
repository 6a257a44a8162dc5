package avss

// What the report shows of a layer beside its scores.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"

	"avssnative/engine/device"
)

// SiteSummary describes the activations of one site in one layer over all sequences.
type SiteSummary struct {
	N        int64 `json:"n"`    // values
	Mean     Value `json:"mean"` // NaN, as all below, where a value is no number
	Variance Value `json:"variance"`
	Min      Value `json:"min"`
	Max      Value `json:"max"`
	RMS      Value `json:"rms"`
	MeanAbs  Value `json:"mean_abs"`
	// fourth central moment over the variance's square: 3 for a normal distribution; NaN where the variance is 0
	Kurtosis         Value   `json:"kurtosis"`
	Eps              Values  `json:"eps"`
	Below            []int64 `json:"below"`    // values below each of Eps in magnitude
	Sparsity         Values  `json:"sparsity"` // their share
	RelativeVariance Value   `json:"relative_variance"`
	RelativeBelow    int64   `json:"relative_near"` // relative values below 1e-2, or what the pass asked for; −1: not counted
	RelativeSparsity Value   `json:"relative_sparsity"`
	NaN              int64   `json:"nan"`
	Inf              int64   `json:"inf"`
}

// Summary describes one site of one layer. It is also available where scores are refused for values that are no numbers.
func (a *AVSS) Summary(layer int, site device.Site) (SiteSummary, error) {
	if layer < 0 || layer >= len(a.moments.cells) || site >= device.Sites {
		return SiteSummary{}, a.errorf("layer %d, site %d: not measured: there are %d layers", layer, site, len(a.moments.cells))
	}
	c := &a.moments.cells[layer][site]
	n := c.n()
	out := SiteSummary{N: n, RelativeBelow: c.relativeBelow()}
	for _, f := range a.faults {
		if f.layer == layer && f.site == site {
			out.NaN, out.Inf = f.nan, f.inf
		}
	}
	for i, e := range a.moments.eps {
		out.Eps = append(out.Eps, float64(widen(e)))
		out.Below = append(out.Below, c.below(i))
		out.Sparsity = append(out.Sparsity, float64(c.below(i))/float64(n))
	}
	undefined := Value(math.NaN())
	out.Mean, out.Variance, out.Min, out.Max, out.RMS = undefined, undefined, undefined, undefined, undefined
	out.MeanAbs, out.Kurtosis, out.RelativeVariance, out.RelativeSparsity = undefined, undefined, undefined, undefined
	if n == 0 {
		return out, nil
	}
	if c.numbers {
		out.Min, out.Max = Value(c.min), Value(c.max)
	}
	if c.relativeBelow() >= 0 {
		out.RelativeSparsity = round(robustSparsity(c.relativeBelow(), n))
	}
	if variance, _, err := c.variance(true); err == nil {
		out.RelativeVariance = round(variance)
	}
	if variance, _, err := c.variance(false); err == nil && c.sum3.Finite() && c.sum4.Finite() && c.sumAbs.Finite() {
		c.describe(&out, variance, new(big.Rat).SetInt64(n))
	}
	return out, nil
}

// describe fills in what needs the powers of the values: all finite.
func (c *siteCells) describe(out *SiteSummary, variance, n *big.Rat) {
	var sum, squares Sum
	for i := range c.buckets {
		sum.Merge(&c.buckets[i].sum)
		squares.Merge(&c.buckets[i].sum2)
	}
	over := func(s *Sum) *big.Rat { return new(big.Rat).Quo(s.Rat(), n) }
	mean, second, third, fourth := over(&sum), over(&squares), over(&c.sum3), over(&c.sum4)
	out.Mean, out.Variance, out.MeanAbs = round(mean), round(variance), round(over(&c.sumAbs))
	out.RMS = Value(math.Sqrt(float64(round(second))))
	if variance.Sign() == 0 {
		return
	}
	// E(a−m)⁴ = E a⁴ − 4m·E a³ + 6m²·E a² − 3m⁴
	m2 := new(big.Rat).Mul(mean, mean)
	central := new(big.Rat).Sub(fourth, product(big.NewRat(4, 1), mean, third))
	central.Add(central, product(big.NewRat(6, 1), m2, second))
	central.Sub(central, product(big.NewRat(3, 1), m2, m2))
	out.Kurtosis = round(central.Quo(central, variance.Mul(variance, variance)))
}

func product(factors ...*big.Rat) *big.Rat {
	out := big.NewRat(1, 1)
	for _, f := range factors {
		out.Mul(out, f)
	}
	return out
}

func round(r *big.Rat) Value {
	v, _ := r.Float64()
	return Value(v)
}

// LayerRow is everything measured of one layer, as report.json holds it: the scores stand beside index and sites, under their metrics' names.
type LayerRow struct {
	Index  int
	Sites  map[string]SiteSummary
	Scores map[string]Value
}

// MarshalJSON writes {"index": …, "sites": {…}, "bi": …, …}.
func (r LayerRow) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"index":%d`, r.Index)
	add := func(name string, value any) error {
		text, err := json.Marshal(value)
		fmt.Fprintf(&b, ",%q:%s", name, text)
		return err
	}
	var errs []error
	if len(r.Sites) > 0 {
		errs = append(errs, add("sites", r.Sites))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Scores)) {
		errs = append(errs, add(name, r.Scores[name]))
	}
	b.WriteByte('}')
	return b.Bytes(), errors.Join(errs...)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *LayerRow) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*r = LayerRow{}
	for name, field := range fields {
		var err error
		switch name {
		case "index":
			err = json.Unmarshal(field, &r.Index)
		case "sites":
			err = json.Unmarshal(field, &r.Sites)
		default:
			var v Value
			err = json.Unmarshal(field, &v)
			if r.Scores == nil {
				r.Scores = map[string]Value{}
			}
			r.Scores[name] = v
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// plain says whether the scores are one measured number a layer and no more: those of sites stand in the summaries, those of runs of layers
// and of orders mean nothing by themselves.
func (s Scores) plain() bool {
	return s.Site == "" && len(s.Distance) == 0 && len(s.Order) == 0 && len(s.Sets) == 0 && registry[s.Metric].Order == nil
}

// Rows joins the summaries of a (which may be nil) with the scores given, a row a layer.
func Rows(a *AVSS, scores ...Scores) ([]LayerRow, error) {
	layers := 0
	if a != nil {
		layers = a.layers()
	}
	for _, s := range scores {
		if layers == 0 {
			layers = len(s.Values)
		}
		if len(s.Values) != layers {
			return nil, fmt.Errorf("avss: %s has scores of %d layers, want %d", s.Key(), len(s.Values), layers)
		}
	}
	rows := make([]LayerRow, layers)
	for l := range rows {
		rows[l].Index = l
		if a != nil {
			rows[l].Sites = map[string]SiteSummary{}
			for site := range device.Sites {
				summary, err := a.Summary(l, site)
				if err != nil {
					return nil, err
				}
				if summary.N > 0 {
					rows[l].Sites[site.String()] = summary
				}
			}
		}
		for _, s := range scores {
			if !s.plain() {
				continue
			}
			if rows[l].Scores == nil {
				rows[l].Scores = map[string]Value{}
			}
			rows[l].Scores[s.Metric] = Value(s.Values[l])
		}
	}
	return rows, nil
}
