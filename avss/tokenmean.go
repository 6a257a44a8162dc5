package avss

import (
	"math/big"

	"avssnative/engine"
	"avssnative/engine/device"
)

// tokenMean is a metric that is constant + factor · (mean over all tokens of a quantity of the block's input and output).
type tokenMean struct {
	base
	means            means
	constant, factor int64
	quantity         func(*device.Pairs) float64 // summed over a sequence's tokens
}

func (t *tokenMean) Wants() engine.Wants { return engine.Wants{} }

func (t *tokenMean) Observe(m *engine.Measurement) error {
	sequence, err := t.observe(m)
	if err != nil {
		return err
	}
	t.means.grow(m.Layers)
	if m.Tokens > 0 {
		t.means.add(m.Layer, sequence, t.quantity(&m.Pairs), int64(m.Tokens))
	}
	return nil
}

func (t *tokenMean) Merge(other Metric) error {
	o, ok := other.(*tokenMean)
	if !ok || o.name != t.name {
		return t.errorf("a state of %s does not merge", other.Name())
	}
	joined, err := t.coverage.merged(&o.coverage)
	if err != nil {
		return t.errorf("%w", err)
	}
	t.coverage = joined
	t.faults.merge(o.faults)
	t.means.merge(&o.means)
	return nil
}

func (t *tokenMean) Scores() (Scores, error) {
	if err := t.ready(); err != nil {
		return Scores{}, err
	}
	scores := Scores{Metric: t.name, Sequences: t.coverage.sequences(0), References: references(t.name)}
	for l, row := range t.means.rows {
		mean, err := row.mean()
		if err != nil {
			return Scores{}, t.errorf("layer %d: %w", l, err)
		}
		mean.Mul(mean, big.NewRat(t.factor, 1))
		v, _ := mean.Add(mean, big.NewRat(t.constant, 1)).Float64()
		scores.Values = append(scores.Values, v)
	}
	values, occupied := t.means.resampled(all(t.layers()))
	scores.stability(t.options, occupied, func(w *weights) []float64 {
		out := values(w)
		for i := range out {
			out[i] = float64(t.constant) + float64(t.factor)*out[i]
		}
		return out
	})
	return scores, nil
}

func (t *tokenMean) MarshalBinary() ([]byte, error) {
	var w writer
	t.base.write(&w)
	t.means.write(&w)
	return seal(t.name, w.data), nil
}

// UnmarshalBinary replaces the state; on an error it stays as it was.
func (t *tokenMean) UnmarshalBinary(data []byte) error {
	payload, err := unseal(t.name, data)
	if err != nil {
		return err
	}
	fresh := *t
	r := &reader{data: payload}
	fresh.base.read(r)
	fresh.means.read(r, fresh.layers())
	if err := r.end(t.name); err != nil {
		return err
	}
	*t = fresh
	return nil
}
