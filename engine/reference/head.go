package reference

import (
	"math"

	"avssnative/engine/device"
)

// Device "reference": log-probabilities over the vocabulary, one row of logits at a time.

func (d *plain) Head(h *device.Head) {
	c := d.check("head")
	weight := c.matrix("weight", h.Weight)
	c.want(len(h.X) > 0, "no rows")
	c.want(weight.out > 0 || c.failed(), "empty vocabulary")
	rows := anyExtent
	variants := make([]*tensor, len(h.X))
	for v, x := range h.X {
		variants[v] = c.tensor("x", x, rows, weight.in)
		rows = variants[v].rows
	}
	bias := c.optional("bias", h.Bias, 1, weight.out)
	c.want(h.SoftCap >= 0, "soft cap %g", h.SoftCap)
	if c.failed() {
		return
	}
	c.targets(h, rows, weight.out)
	if c.failed() {
		return
	}
	h.Rows = make([][]device.HeadRow, len(h.X))
	h.LogProbs = make([][]float64, len(h.X))
	for v := range variants {
		h.Rows[v] = make([]device.HeadRow, rows)
		h.LogProbs[v] = make([]float64, len(h.Targets))
	}
	d.each(rows, func(r int) {
		var first []float64 // log-probabilities of variant 0
		for v, x := range variants {
			logits := make([]float64, weight.out)
			weight.product(logits, x.line(r))
			for o := range logits {
				logits[o] = logitOf(h, logits[o], bias, o)
			}
			out := &h.Rows[v][r]
			out.LogSum, out.Top = logSum(logits)
			for o := range logits {
				logits[o] -= out.LogSum
			}
			if v == 0 {
				first = logits
			} else if h.Diverge {
				out.KL = divergence(first, logits)
			}
			if h.Offsets != nil {
				for t := h.Offsets[r]; t < h.Offsets[r+1]; t++ {
					h.LogProbs[v][t] = logits[h.Targets[t]]
				}
			}
		}
	})
}

// targets complains about targets that are none of the vocabulary or not shared out among the rows.
func (c check) targets(h *device.Head, rows, vocab int) {
	if h.Offsets == nil && len(h.Targets) == 0 {
		return
	}
	if len(h.Offsets) != rows+1 {
		c.fail("%d offsets, want %d", len(h.Offsets), rows+1)
		return
	}
	c.want(h.Offsets[0] == 0 && int(h.Offsets[rows]) == len(h.Targets),
		"offsets from %d to %d, want 0 to %d", h.Offsets[0], h.Offsets[rows], len(h.Targets))
	for r := range rows {
		c.want(h.Offsets[r] <= h.Offsets[r+1], "offsets descend at row %d", r)
	}
	for t, id := range h.Targets {
		c.want(id >= 0 && int(id) < vocab, "token id %d at target %d, vocabulary has %d", id, t, vocab)
	}
}

// logitOf finishes a logit from its dot product.
func logitOf(h *device.Head, product float64, bias *tensor, o int) float64 {
	logit := product
	if bias != nil {
		logit += bias.line(0)[o]
	}
	if h.Scale != 0 {
		logit *= float64(h.Scale)
	}
	if h.SoftCap > 0 {
		logit = float64(h.SoftCap) * math.Tanh(logit/float64(h.SoftCap))
	}
	return logit
}

// logSum is log Σ exp(logits), and which logit is the greatest.
func logSum(logits []float64) (sum float64, top int32) {
	most := logits[0]
	for o, logit := range logits {
		if logit > most {
			most, top = logit, int32(o)
		}
	}
	for _, logit := range logits {
		sum += math.Exp(logit - most)
	}
	return most + math.Log(sum), top
}

// divergence is KL(p ‖ q) in nats of two distributions given by their logarithms; what p holds impossible adds nothing.
func divergence(p, q []float64) float64 {
	sum := 0.0
	for o := range p {
		if weight := math.Exp(p[o]); weight > 0 {
			sum += weight * (p[o] - q[o])
		}
	}
	return sum
}
