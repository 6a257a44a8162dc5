package devicetest

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

func headCases() []testCase {
	plain := headShape{rows: 11, hidden: 32, vocab: 100, variants: 1, weights: device.F32}
	var cases []testCase
	add := func(name string, change func(*headShape)) {
		s := plain
		change(&s)
		cases = append(cases, headCase(name, s))
	}
	add("", func(*headShape) {})
	for _, vocab := range []int{1, 3, 16, 257, 1000, 4099} {
		add("", func(s *headShape) { s.vocab, s.variants = vocab, 2 })
	}
	add("", func(s *headShape) { s.vocab, s.rows, s.hidden = 33000, 5, 24 })
	for _, hidden := range []int{1, 7, 65, 515} {
		add("", func(s *headShape) { s.hidden, s.variants = hidden, 3 })
	}
	for _, rows := range []int{1, 33, 70} {
		add("", func(s *headShape) { s.rows, s.variants = rows, 2 })
	}
	for _, t := range []device.DType{device.F16, device.BF16, device.Q8_0} {
		add("", func(s *headShape) { s.weights, s.variants = t, 2 })
	}
	add("bias/", func(s *headShape) { s.bias, s.variants = 0.5, 2 })
	add("scale=0.25/", func(s *headShape) { s.scale, s.bias, s.variants = 0.25, 0.5, 2 })
	add("cap=5/", func(s *headShape) { s.softCap, s.variants = 5, 2 })
	add("cap=3/scale=2/bias/", func(s *headShape) { s.softCap, s.scale, s.bias, s.variants = 3, 2, 1, 3 })
	add("far/", func(s *headShape) { s.scale, s.variants = 30, 2 }) // logits in the hundreds: exp overflows without the maximum
	add("ties/", func(s *headShape) { s.ties, s.hidden, s.vocab, s.rows = true, 3, 200, 40 })
	add("ties/wide/", func(s *headShape) { s.ties, s.hidden, s.vocab, s.rows = true, 2, 9000, 9 })
	add("indifferent/", func(s *headShape) { s.silent, s.variants = true, 2 })
	large := headCase("", headShape{rows: 256, hidden: 256, vocab: 16000, variants: 1, weights: device.F32, silent: false})
	large.large = true
	return append(cases, large)
}

type headShape struct {
	rows, hidden, vocab, variants int
	weights                       device.DType
	bias, scale, softCap          float32
	ties                          bool // small whole numbers, so that many logits are exactly equal
	silent                        bool // Diverge is off
}

func (s headShape) weight() device.Weight {
	switch {
	case s.ties:
		return weight(s.weights, whole, s.vocab, s.hidden, 0)
	case s.weights == device.Q8_0:
		return blockWeight(s.weights, s.vocab, s.hidden)
	}
	return weight(s.weights, uniform, s.vocab, s.hidden, 0)
}

// Rows' values: for each variant LogSum, Top, KL, then its targets' log-probabilities.
func headCase(name string, s headShape) testCase {
	w := s.weight()
	var bias []float32
	if s.bias != 0 {
		bias = within(float64(s.bias))("bias", 0, s.vocab)
	}
	var lines [][]float64 // the weight, once it is asked for
	longest := 0.0
	table := func() [][]float64 {
		if lines == nil {
			lines = decoded(w)
			for _, line := range lines {
				longest = max(longest, length(line))
			}
		}
		return lines
	}
	x := func(variant, unit int) []float32 {
		tensor := fmt.Sprintf("x%d", variant)
		if s.ties {
			return whole(tensor, unit, s.hidden)
		}
		// Towards one token, which so becomes the most likely by more than any error.
		row := uniform(tensor, unit, s.hidden)
		for j, v := range table()[(unit*31+variant*17+s.vocab-1)%s.vocab] {
			row[j] += float32(3 * v)
		}
		return row
	}
	return testCase{
		operation: "Head",
		name:      fmt.Sprintf("%sweights=%s/rows=%d/hidden=%d/vocab=%d/variants=%d", name, s.weights, s.rows, s.hidden, s.vocab, s.variants),
		units:     s.rows,
		prepare: func(r *rig, units []int) step {
			h := &device.Head{Weight: r.matrix(w), Bias: r.row(bias), Scale: s.scale, SoftCap: s.softCap, Diverge: !s.silent}
			for variant := range s.variants {
				rows := make([][]float32, len(units))
				for i, unit := range units {
					rows[i] = x(variant, unit)
				}
				h.X = append(h.X, r.tensor(rows, s.hidden))
			}
			h.Offsets = []int32{0}
			for _, unit := range units {
				for t := range unit % 4 {
					h.Targets = append(h.Targets, int32((unit*13+t*(s.vocab-1))%s.vocab))
				}
				h.Offsets = append(h.Offsets, int32(len(h.Targets)))
			}
			return step{func() { r.device.Head(h) }, func() [][]float64 { return r.headed(h, len(units)) }}
		},
		// A logit is off by δ, its dot product's error times Scale (a cap only lessens that), and by a few roundings of its size; the
		// logarithm of a sum of such terms by no more, and a few roundings of its own; a log-probability by both. The divergence is a mean
		// of differences of log-probabilities under weights that are themselves off by 2·δ of themselves; as it is of no first order in
		// changes of either distribution alone, the weights' share is 2·δ times the mean magnitude of those differences.
		tolerance: func(p precision, unit, j int, want float64) float64 {
			variant, at := j/(3+unit%4), j%(3+unit%4)
			table()
			norm := length(x(variant, unit))
			if variant > 0 {
				norm = max(norm, length(x(0, unit)))
			}
			scale := 1.0
			if s.scale != 0 {
				scale = float64(s.scale)
			}
			size := scale * (norm*longest + float64(s.bias))
			if s.softCap > 0 {
				size = min(size, float64(s.softCap))
			}
			delta := scale*p.product(s.hidden, norm, longest) + 8*u*size + sum(s.vocab)
			if at == 1 {
				if !s.ties && s.lead(x(variant, unit), table(), bias) < 2*delta {
					return float64(s.vocab) // too close to tell
				}
				return 0
			}
			if at == 2 {
				if variant == 0 || s.silent {
					return 0
				}
				return 4*delta + 4*delta*abs(want)
			}
			return 2 * delta
		},
		flops: 2 * float64(s.rows) * float64(s.variants) * float64(s.hidden) * float64(s.vocab),
	}
}

// headed waits for a Head and lays out what each row came to.
func (r *rig) headed(h *device.Head, rows int) [][]float64 {
	if err := r.device.Sync(); err != nil {
		r.failures = append(r.failures, err.Error())
		return nil
	}
	if len(h.Rows) != len(h.X) || len(h.LogProbs) != len(h.X) {
		r.failures = append(r.failures, fmt.Sprintf("Rows and LogProbs of %d and %d variants, want %d", len(h.Rows), len(h.LogProbs), len(h.X)))
		return nil
	}
	out := make([][]float64, rows)
	for v := range h.X {
		if len(h.Rows[v]) != rows || len(h.LogProbs[v]) != len(h.Targets) {
			r.failures = append(r.failures, fmt.Sprintf("variant %d: %d rows and %d log-probabilities, want %d and %d",
				v, len(h.Rows[v]), len(h.LogProbs[v]), rows, len(h.Targets)))
			return nil
		}
		for i, row := range h.Rows[v] {
			kl := row.KL
			if math.IsNaN(kl) {
				kl = math.Inf(1) // never wanted
			}
			out[i] = append(out[i], row.LogSum, float64(row.Top), kl)
			out[i] = append(out[i], h.LogProbs[v][h.Offsets[i]:h.Offsets[i+1]]...)
		}
	}
	return out
}

// lead is how far the greatest logit is ahead of the next.
func (s headShape) lead(x []float32, table [][]float64, bias []float32) float64 {
	first, second := math.Inf(-1), math.Inf(-1)
	for o, line := range table {
		logit := 0.0
		for k, v := range x {
			logit += float64(v) * line[k]
		}
		if bias != nil {
			logit += float64(bias[o])
		}
		if s.scale != 0 {
			logit *= float64(s.scale)
		}
		if s.softCap > 0 {
			logit = float64(s.softCap) * math.Tanh(logit/float64(s.softCap))
		}
		if logit > first {
			first, second = logit, first
		} else {
			second = max(second, logit)
		}
	}
	return first - second
}
