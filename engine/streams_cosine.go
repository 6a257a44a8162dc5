package engine

import (
	"context"
	"math"
)

// Cosines is the mean over rows of the cosine between the stream in front of each layer and that in front of each other, [layers × layers]: how
// alike the layers' inputs are. A row of zeros is like nothing.
func (s *Streams) Cosines(ctx context.Context) ([][]float64, error) {
	layers, hidden := s.model.Layers(), s.model.Spec.Hidden
	all := make([][]float64, layers)
	for i := range all {
		all[i] = make([]float64, layers)
	}
	squares := make([]float64, layers)
	for row := range s.rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i := range layers {
			x := s.depths[i][row*hidden : (row+1)*hidden]
			squares[i] = dot(x, x)
			for j := range i {
				if size := math.Sqrt(squares[i] * squares[j]); size > 0 {
					all[i][j] += dot(x, s.depths[j][row*hidden:(row+1)*hidden]) / size
				}
			}
		}
	}
	for i := range all {
		all[i][i] = 1
		for j := range i {
			all[i][j] /= float64(max(1, s.rows))
			all[j][i] = all[i][j]
		}
	}
	return all, nil
}

func dot(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}
