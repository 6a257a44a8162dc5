package prune

import (
	"context"
	"os"
	"strconv"

	"avssnative/engine"
)

// refitter solves linear layers for engine.Fit: output projections, and inner layers where they are asked for, each next to what it is, with the
// strength of the ridge that does best on rows kept apart.
type refitter struct {
	from [2]int // where the last search for a strength ended: inner layers, output projections
	left []layerLeft
}

// layerLeft is what share of what a layer lacked is left after it was solved.
type layerLeft struct {
	name  string
	left  float64
	ridge float64
}

func newRefitter() *refitter { return &refitter{from: [2]int{4, 6}} }

func (r *refitter) solve(_ context.Context, l *engine.LinearFit) (weight, bias []float32, err error) {
	kind := 0
	if l.Adds {
		kind = 1
	}
	if v := os.Getenv("RIDGE"); v != "" {
		lambda, _ := strconv.ParseFloat(v, 64)
		change, err := ridge(l.Sums, lambda)
		if err != nil {
			return nil, nil, err
		}
		r.left = append(r.left, layerLeft{l.Name, lack(l.Held, change) / l.Held.EE, lambda})
		weight = make([]float32, len(l.Weight))
		for o := range l.Sums.Out {
			for i, d := range change.RawRowView(o) {
				weight[o*l.Sums.In+i] = float32(float64(l.Weight[o*l.Sums.In+i]) + d)
			}
		}
		return weight, nil, nil
	}
	change, at, left, err := bestRidge(l.Sums, l.Held, r.from[kind])
	if err != nil {
		return nil, nil, err
	}
	r.from[kind] = at
	r.left = append(r.left, layerLeft{l.Name, left, ridges[at]})
	if change == nil {
		return nil, nil, nil
	}
	weight = make([]float32, len(l.Weight))
	for o := range l.Sums.Out {
		for i, d := range change.RawRowView(o) {
			weight[o*l.Sums.In+i] = float32(float64(l.Weight[o*l.Sums.In+i]) + d)
		}
	}
	return weight, nil, nil
}
