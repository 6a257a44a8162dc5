package avss

import "avssnative/engine"

// Part is a metric that sees some of a pass's sequences alone, by their numbers, so that several texts walk together and are scored apart. States
// of parts merge, to the same bits as if one metric had seen all of them.
func Part(m Metric, sees func(sequence int) bool) Metric { return seeing{m, sees} }

type seeing struct {
	Metric
	sees func(sequence int) bool
}

// Observe passes on what the metric is to see.
func (p seeing) Observe(m *engine.Measurement) error {
	if !p.sees(m.Sequence) {
		return nil
	}
	return p.Metric.Observe(m)
}

// Whole is the metric that a Part shows its sequences to; any other metric is itself.
func Whole(m Metric) Metric {
	if p, is := m.(seeing); is {
		return p.Metric
	}
	return m
}
