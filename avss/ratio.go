package avss

// A metric that is one sum over another: what bi, relmag and l2 are, and what most metrics of one's own are. The sums are kept exactly and
// apart by bucket, so that interval, stability, merging and saving come with them.

import (
	"math/big"

	"avssnative/engine"
)

// Accumulator is what one sequence adds to a sum, from what was measured of it in one layer. Sums of a site's values stand in m.Sites
// (device.SiteDelta is what the block adds), of what enters and leaves the block in m.Pairs, both over all the sequence's tokens.
type Accumulator func(m *engine.Measurement) float64

// Ratio is the constructor of a metric whose score of a layer is the sum of a numerator over that of a denominator, both over all sequences:
//
//	avss.Register(avss.Definition{Name: "flatness", About: "…", New: avss.Ratio(numerator, denominator)})
//
// A mean over tokens has the denominator Tokens. wants says what the accumulators read that costs extra.
func Ratio(numerator, denominator Accumulator, wants ...engine.Wants) func(Definition, Options) Metric {
	return shiftedRatio(0, 1, numerator, denominator, wants...)
}

// Tokens is the denominator of a mean over tokens.
func Tokens(m *engine.Measurement) float64 { return float64(m.Tokens) }

// shiftedRatio is constant + factor · Ratio, rounded once.
func shiftedRatio(constant, factor int64, numerator, denominator Accumulator, wants ...engine.Wants) func(Definition, Options) Metric {
	return func(d Definition, o Options) Metric {
		r := &ratio{base: base{name: d.Name, options: o}, constant: constant, factor: factor, numerator: numerator, denominator: denominator}
		for _, w := range wants {
			r.wants.Pooled, r.wants.Last, r.wants.RelativeBelow = r.wants.Pooled || w.Pooled, r.wants.Last || w.Last, r.wants.RelativeBelow || w.RelativeBelow
		}
		return r
	}
}

type ratio struct {
	base
	constant, factor       int64
	numerator, denominator Accumulator
	wants                  engine.Wants
	over, under            means // a row a layer
}

func (r *ratio) Wants() engine.Wants { return r.wants }

func (r *ratio) Observe(m *engine.Measurement) error {
	sequence, err := r.observe(m)
	if err != nil {
		return err
	}
	r.over.grow(m.Layers)
	r.under.grow(m.Layers)
	if m.Tokens > 0 {
		r.over.add(m.Layer, sequence, r.numerator(m), 1)
		r.under.add(m.Layer, sequence, r.denominator(m), 1)
	}
	return nil
}

func (r *ratio) Merge(other Metric) error {
	o, ok := other.(*ratio)
	if !ok || o.name != r.name {
		return r.errorf("a state of %s does not merge", other.Name())
	}
	joined, err := r.coverage.merged(&o.coverage)
	if err != nil {
		return r.errorf("%w", err)
	}
	r.coverage = joined
	r.faults.merge(o.faults)
	r.over.merge(&o.over)
	r.under.merge(&o.under)
	return nil
}

func (r *ratio) Scores() (Scores, error) {
	if err := r.ready(); err != nil {
		return Scores{}, err
	}
	scores := Scores{Metric: r.name, Sequences: r.coverage.sequences(0), References: references(r.name)}
	for l := range r.over.rows {
		over, _ := r.over.rows[l].total()
		under, sequences := r.under.rows[l].total()
		switch {
		case sequences == 0:
			return Scores{}, r.errorf("layer %d: no tokens", l)
		case !over.Finite() || !under.Finite():
			return Scores{}, r.errorf("layer %d: the sums are %v and %v", l, over.Float64(), under.Float64())
		case under.Rat().Sign() == 0:
			return Scores{}, r.errorf("layer %d: the denominator is 0", l)
		}
		v := new(big.Rat).Quo(over.Rat(), under.Rat())
		v.Mul(v, big.NewRat(r.factor, 1))
		rounded, _ := v.Add(v, big.NewRat(r.constant, 1)).Float64()
		scores.Values = append(scores.Values, rounded)
	}
	values, occupied := r.resampled()
	scores.stability(r.options, occupied, values)
	return scores, nil
}

// resampled returns a function that computes the scores with other weights of the buckets, and which buckets hold anything.
func (r *ratio) resampled() (values func(*weights) []float64, occupied []int) {
	layers := r.layers()
	over, under := make([][Buckets]float64, layers), make([][Buckets]float64, layers)
	var held [Buckets]bool
	for l := range layers {
		over[l], _ = r.over.rows[l].rounded()
		var sequences [Buckets]float64
		under[l], sequences = r.under.rows[l].rounded()
		for b := range held {
			held[b] = held[b] || sequences[b] > 0
		}
	}
	for b := range held {
		if held[b] {
			occupied = append(occupied, b)
		}
	}
	return func(w *weights) []float64 {
		out := make([]float64, layers)
		for l := range out {
			var above, below float64
			for b, times := range w {
				if times > 0 {
					above += float64(times) * over[l][b]
					below += float64(times) * under[l][b]
				}
			}
			out[l] = float64(r.constant) + float64(r.factor)*(above/below)
		}
		return out
	}, occupied
}

func (r *ratio) MarshalBinary() ([]byte, error) {
	var w writer
	r.base.write(&w)
	r.over.write(&w)
	r.under.write(&w)
	return Seal(r.name, w.data), nil
}

// UnmarshalBinary replaces the state; on an error it stays as it was.
func (r *ratio) UnmarshalBinary(data []byte) error {
	payload, err := Unseal(r.name, data)
	if err != nil {
		return err
	}
	fresh := *r
	in := &reader{data: payload}
	fresh.base.read(in)
	fresh.over.read(in, fresh.layers())
	fresh.under.read(in, fresh.layers())
	if err := in.end(r.name); err != nil {
		return err
	}
	*r = fresh
	return nil
}
