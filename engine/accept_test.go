package engine

import (
	"math"
	"testing"
)

// Over a vocabulary of three, every pair of distributions in eighths: what is accepted and what is drawn instead add up to p exactly, and the
// share accepted is Σ min(p, q).
func TestJudgedTokensAreDistributedAsP(t *testing.T) {
	var all [][]float64
	for a := range 9 {
		for b := range 9 - a {
			all = append(all, []float64{float64(a) / 8, float64(b) / 8, float64(8-a-b) / 8})
		}
	}
	for _, p := range all {
		for _, q := range all {
			var out [3]float64
			accepted, common := 0.0, 0.0
			for id, proposed := range q {
				common += min(p[id], proposed)
				if proposed == 0 {
					continue
				}
				a := acceptance(p, q, int32(id))
				out[id] += proposed * a
				accepted += proposed * a
				if a == 1 {
					continue
				}
				r, sum := residual(p, q), 0.0
				for _, w := range r {
					sum += w
				}
				for other, w := range r {
					out[other] += proposed * (1 - a) * w / sum
				}
			}
			for id := range out {
				if math.Abs(out[id]-p[id]) > 1e-15 {
					t.Errorf("p %v, q %v: token %d comes with probability %v", p, q, id, out[id])
				}
			}
			if math.Abs(accepted-common) > 1e-15 {
				t.Errorf("p %v, q %v: %v accepted, Σ min is %v", p, q, accepted, common)
			}
		}
	}
}

// Judge and Draw themselves do what those probabilities say: 20,000 tokens with one seed, five standard deviations.
func TestJudgeDraws(t *testing.T) {
	const draws = 20000
	p, q := []float64{0.1, 0.4, 0.5, 0}, []float64{0.3, 0.2, 0.25, 0.25}
	s, proposer := NewSampler(Sampling{Temperature: 1, Seed: 7}, 0), NewSampler(Sampling{Temperature: 1, Seed: 7}, 1)
	var count [4]int
	taken := 0
	for range draws {
		id, accepted := s.Judge(p, q, proposer.Draw(q))
		if count[id]++; accepted {
			taken++
		}
	}
	near := func(what string, got int, want float64) {
		t.Helper()
		if math.Abs(float64(got)-draws*want) > 5*math.Sqrt(draws*want*(1-want)) {
			t.Errorf("%s: %d of %d, want a share of %v", what, got, draws, want)
		}
	}
	for id, want := range p {
		near("token", count[id], want)
	}
	near("accepted", taken, 0.55)
	greedy := NewSampler(Sampling{}, 0)
	if d := greedy.Distribution([]float32{1, 3, 3, 2}); d[1] != 1 || d[0]+d[2]+d[3] != 0 {
		t.Errorf("greedy: %v", d)
	}
}
