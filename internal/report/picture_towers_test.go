package report

import (
	"math"
	"slices"
	"testing"

	"avssnative/avss"
)

// One score far above the others is cut off, so that these can be told apart; what spans decades evenly, and what is spread a little, is not.
func TestTowers(t *testing.T) {
	of := func(n int, f func(i int) float64) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[i] = f(i)
		}
		return values
	}
	flat := func(i int) float64 { return 1.4 + float64(i%7)/4 }
	for _, c := range []struct {
		name   string
		values []float64
		above  []int
		top    float64
	}{
		{"as SmolLM2's", append([]float64{65, 10, 2.9}, of(27, flat)...), []int{0, 1}, 2.9},
		{"one of few", append(of(15, flat), 40), []int{15}, 2.9},
		{"a moderate one", append(of(15, flat), 5), nil, 0},
		{"decades", of(30, func(i int) float64 { return math.Exp(float64(i)) }), nil, 0},
		{"few", []float64{1, 2, 90}, nil, 0},
		{"all the same but one", append(make([]float64, 20), 1), nil, 0},
		{"infinite ones", append(of(20, flat), math.Inf(1), math.NaN(), 70), []int{22}, 2.9},
	} {
		top, above, ok := cut(c.values)
		if ok != (c.above != nil) || ok && (!slices.Equal(above, c.above) || top != c.top) {
			t.Errorf("%s: cut at %v, above %v, %v", c.name, top, above, ok)
		}
	}
	r := sample(16)
	s := r.Scores["avss"]
	s.Values = append(avss.Values{65}, of(15, flat)...)
	s.Low, s.High = nil, nil
	r.Scores["avss"] = s
	p, has, err := r.scorePicture("avss")
	if err != nil || !has || p.plot.Y.Max > 5 {
		t.Errorf("the axis ends at %v, %v", p.plot.Y.Max, err)
	}
}
