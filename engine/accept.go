package engine

// What speculative sampling needs of a sampler (arXiv 2211.17192, algorithm 1): the distribution it draws from, and the judgement of a token
// that another distribution proposed, such that what comes out is distributed as if nothing had been proposed.

// Distribution is what Next draws from: a probability a token, [vocab].
func (s *Sampler) Distribution(logits []float32) []float64 {
	p := make([]float64, len(logits))
	if s.how.Temperature <= 0 {
		p[greatest(logits)] = 1
		return p
	}
	ids, weights := s.candidates(logits)
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	for i, id := range ids {
		p[id] = weights[i] / sum
	}
	return p
}

// Draw draws a token of a distribution, which need not sum to 1.
func (s *Sampler) Draw(p []float64) int32 {
	sum := 0.0
	for _, w := range p {
		sum += w
	}
	left, last := s.random.Float64()*sum, 0
	for id, w := range p {
		if w <= 0 {
			continue
		}
		if last = id; left < w {
			break
		}
		left -= w
	}
	return int32(last)
}

// Judge accepts a token that was drawn from q with probability min(1, p/q), and draws another from what p has beyond q where it does not. The
// token it gives is then distributed as p.
func (s *Sampler) Judge(p, q []float64, proposed int32) (id int32, accepted bool) {
	if s.random.Float64() < acceptance(p, q, proposed) {
		return proposed, true
	}
	return s.Draw(residual(p, q)), false
}

// acceptance is min(1, p/q) of a token.
func acceptance(p, q []float64, id int32) float64 {
	if q[id] <= p[id] {
		return 1
	}
	return p[id] / q[id]
}

// residual is max(p − q, 0), and p itself where rounding leaves nothing of that.
func residual(p, q []float64) []float64 {
	r, any := make([]float64, len(p)), false
	for i := range p {
		if r[i] = max(p[i]-q[i], 0); r[i] > 0 {
			any = true
		}
	}
	if !any {
		return p
	}
	return r
}
