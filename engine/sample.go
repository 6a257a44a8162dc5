package engine

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Sampling says how the next token is drawn from its distribution. The zero value takes the most likely one.
type Sampling struct {
	Temperature float64 // logits are divided by it; 0: the most likely token, the first of equals
	TopK        int     // only the most likely so many; 0: all
	TopP        float64 // only the most likely whose probabilities before them sum to less than this (arXiv 1904.09751); 0 and 1: all
	MinP        float64 // only those at least so many times as likely as the most likely one (arXiv 2407.01082); 0: all
	Seed        uint64
}

// Sampler draws the tokens of one sequence.
type Sampler struct {
	how    Sampling
	random *rand.Rand
}

// NewSampler makes one for a sequence: its draws depend on the seed and the sequence's number, never on what is sampled beside it.
func NewSampler(how Sampling, sequence int) *Sampler {
	return &Sampler{how: how, random: rand.New(rand.NewPCG(how.Seed, uint64(sequence)))}
}

// Next draws a token by its logits [vocab]. Temperature comes first, then TopK, TopP and MinP.
func (s *Sampler) Next(logits []float32) int32 {
	if s.how.Temperature <= 0 {
		return greatest(logits)
	}
	ids, weights := s.candidates(logits)
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	left := s.random.Float64() * sum
	for i, w := range weights {
		if left -= w; left < 0 {
			return ids[i]
		}
	}
	return ids[len(ids)-1]
}

// greatest is the most likely token, the first of equals.
func greatest(logits []float32) int32 {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return int32(best)
}

// candidates lists the tokens that may be drawn and their weights; in descending order where anything is left out.
func (s *Sampler) candidates(logits []float32) (ids []int32, weights []float64) {
	top := float64(logits[greatest(logits)])
	ids, weights = make([]int32, len(logits)), make([]float64, len(logits))
	for i, v := range logits {
		ids[i], weights[i] = int32(i), math.Exp((float64(v)-top)/s.how.Temperature)
	}
	cutK, cutP := s.how.TopK > 0 && s.how.TopK < len(ids), s.how.TopP > 0 && s.how.TopP < 1
	if cutK || cutP {
		slices.SortFunc(ids, func(a, b int32) int { return cmp.Or(cmp.Compare(logits[b], logits[a]), int(a)-int(b)) })
		if cutK {
			ids = ids[:s.how.TopK]
		}
		weights = weights[:len(ids)]
		sum := 0.0
		for i, id := range ids {
			weights[i] = math.Exp((float64(logits[id]) - top) / s.how.Temperature)
			sum += weights[i]
		}
		if cutP {
			before := 0.0
			for i, w := range weights {
				if before >= s.how.TopP*sum {
					ids, weights = ids[:i], weights[:i]
					break
				}
				before += w
			}
		}
	}
	if s.how.MinP > 0 {
		kept := 0
		for i, w := range weights { // the most likely one weighs 1
			if w >= s.how.MinP {
				ids[kept], weights[kept] = ids[i], w
				kept++
			}
		}
		ids, weights = ids[:kept], weights[:kept]
	}
	return ids, weights
}
