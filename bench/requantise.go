package bench

import (
	"fmt"
	"math"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Alternatives are the types that the plain alternative to leaving layers out is measured in: the dense model with coarser weights.
var Alternatives = []device.DType{device.Q8_0, device.Q6_K, device.Q4_K}

// coarser is what llama.cpp writes where a row is no whole number of a type's blocks.
var coarser = map[device.DType]device.DType{device.Q6_K: device.Q8_0, device.Q4_K: device.Q5_0}

// A Requantised model is the dense one with coarser weights.
type Requantised struct {
	Type    device.DType
	Repair  *engine.Repair // the tensors in their new type; nil: none became smaller, so that there is no such alternative
	Tensors map[string]int // how many were written in each type
	Bytes   int64          // of the whole model
	Held    int64          // bytes of the new tensors
	Largest int64          // bytes that it takes to write one of them
}

// Requantise writes the matrices of all layers in a type, those whose rows are no whole blocks of it in the next that llama.cpp takes, and
// leaves as they are those that would not become smaller, all vectors, and what stands outside the layers: embedding and head. Where encode
// is false it only counts.
func Requantise(m *engine.Model, to device.DType, encode bool) (*Requantised, error) {
	r := &Requantised{Type: to, Tensors: map[string]int{}}
	_, r.Bytes = m.Size(nil)
	if encode {
		r.Repair = m.NewRepair()
	}
	done := map[string]bool{}
	var failed error
	write := func(ref *arch.Ref) {
		for _, name := range append([]string{ref.Name}, ref.Joined...) {
			if failed == nil && ref.In > 0 && !ref.Transposed && !done[name] {
				done[name] = true
				failed = r.write(m, name, encode)
			}
		}
	}
	for i := range m.Spec.Blocks {
		m.Spec.Blocks[i].AttentionRefs(write)
		m.Spec.Blocks[i].MLPRefs(write)
	}
	if len(r.Tensors) == 0 {
		r.Repair = nil
	}
	return r, failed
}

// write re-encodes one stored tensor where that makes it smaller.
func (r *Requantised) write(m *engine.Model, name string, encode bool) error {
	stored, found := m.Tensors.Lookup(name)
	if !found || len(stored.Shape) < 2 {
		return nil
	}
	to, row := r.Type, stored.Shape[len(stored.Shape)-1]
	block, size, err := to.Block()
	if err == nil && row%block != 0 {
		if to = coarser[to]; to == "" {
			return nil
		}
		block, size, err = to.Block()
	}
	if err != nil {
		return fmt.Errorf("bench: requantise: %w", err)
	}
	count := 1
	for _, n := range stored.Shape {
		count *= n
	}
	bytes := count / block * size
	if row%block != 0 || bytes >= len(stored.Data) {
		return nil
	}
	r.Tensors[string(to)]++
	r.Bytes += int64(bytes - len(stored.Data))
	r.Held += int64(bytes)
	r.Largest = max(r.Largest, int64(len(stored.Data))+5*int64(count))
	if !encode {
		return nil
	}
	defer m.Tensors.Discard([]string{name})
	values, err := weights.Decode(stored, 0, count)
	if err != nil {
		return fmt.Errorf("bench: requantise: %w", err)
	}
	stored.Scales, stored.Type = nil, to
	if stored.Data, err = weights.Encode(to, values); err != nil {
		return fmt.Errorf("bench: requantise: %s: %w", name, err)
	}
	r.Repair.Set(stored)
	return nil
}

// Alternative judges what a pass found for the dense model with coarser weights, beside the dense one in the same pass. Where the suite asks for
// answers in a model's own words it is not asked: there are no results then, and the comparison holds the divergence alone.
func (s *Suite) Alternative(dense []Result, scores []engine.SequenceScore, seed uint64) ([]Result, *Comparison, error) {
	if !s.Asks() {
		results, err := s.Judge(scores, nil)
		if err != nil {
			return nil, nil, err
		}
		c, err := Compare(dense, results, seed)
		return results, c, err
	}
	var sums, tokens []float64
	c := &Comparison{MeanOfRatios: math.NaN(), MeanOfCorrected: math.NaN(), RatioOfMeans: math.NaN(), Flips: math.NaN(), RatiosInterval: interval(nil),
		CorrectedInterval: interval(nil)}
	same := 0
	for _, sequence := range scores {
		var sum engine.Score
		for _, branch := range sequence.Branches {
			sum = sum.Add(branch)
		}
		sums, tokens = append(sums, sum.KL), append(tokens, float64(sum.Tokens))
		c.Tokens += sum.Tokens
		same += sum.SameTop
	}
	if c.KL, c.KLStderr = perToken(sums, tokens); c.Tokens > 0 {
		c.SameTop = float64(same) / float64(c.Tokens)
	}
	return nil, c, nil
}
