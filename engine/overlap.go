package engine

import (
	"fmt"
	"math"
	"runtime"
	"sync"
)

// How much two distributions have in common, Σ min(p, q): the probability with which speculative sampling accepts what the second proposes where
// the first decides (arXiv 2211.17192, corollary 3.6). It needs every logit of both, so it is computed beside the head, and only where a pass
// asks for it.

// overlapBytes bounds the logits of one variant that are held at a time.
const overlapBytes = 32 << 20

// overlaps gives Σ min(p, q) of the first state's distributions and every state's: a state, a row. The first state's are 1.
func (w *walker) overlaps(weights *layerWeights, rows []int32, states []state) ([][]float64, error) {
	all := make([][]float64, len(states))
	for i := range all {
		all[i] = make([]float64, len(rows))
	}
	for r := range rows {
		all[0][r] = 1
	}
	most := max(overlapBytes/(4*max(w.model.Spec.Vocab, 1)), 1)
	for first := 0; first < len(rows); first += most {
		n := min(most, len(rows)-first)
		var dense []float32
		for i, s := range states {
			values, err := w.headLogits(weights, s, rows[first:first+n])
			if err != nil {
				return nil, err
			}
			vocab := len(values) / n
			eachRow(n, func(r int) { probabilities(values[r*vocab:(r+1)*vocab], w.pass.Overlap) })
			if i == 0 {
				dense = values
				continue
			}
			eachRow(n, func(r int) { all[i][first+r] = overlap(dense[r*vocab:(r+1)*vocab], values[r*vocab:(r+1)*vocab]) })
		}
	}
	return all, nil
}

// headLogits are the logits of some rows of a state, [rows × vocab].
func (w *walker) headLogits(weights *layerWeights, s state, rows []int32) ([]float32, error) {
	spec := w.model.Spec
	f := &forward{device: w.device, weights: weights, pool: w.pool, rows: len(rows)}
	x := f.take(spec.Hidden)
	w.device.Gather(x, s.hidden, rows)
	x = f.final(x, spec)
	logits := f.linear(x, &spec.Head.Output)
	values := make([]float32, len(rows)*logits.Cols())
	w.device.Download(values, logits, 0)
	err := w.device.Sync()
	f.give(x, logits)
	if err != nil {
		return nil, fmt.Errorf("engine: head: %w", err)
	}
	capped(values, spec)
	return values, nil
}

// probabilities makes logits the distribution that is drawn from at a temperature, in place.
func probabilities(logits []float32, temperature float64) {
	top := float64(logits[greatest(logits)])
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp((float64(v) - top) / temperature)
	}
	for i, v := range logits {
		logits[i] = float32(math.Exp((float64(v)-top)/temperature) / sum)
	}
}

// overlap is Σ min(p, q).
func overlap(p, q []float32) float64 {
	sum := 0.0
	for i := range p {
		sum += float64(min(p[i], q[i]))
	}
	return min(sum, 1)
}

// eachRow does rows on as many goroutines as the program may run at a time; what a row comes to does not depend on how many.
func eachRow(rows int, do func(row int)) {
	var wait sync.WaitGroup
	for first := range min(runtime.GOMAXPROCS(0), rows) {
		wait.Go(func() {
			for row := first; row < rows; row += runtime.GOMAXPROCS(0) {
				do(row)
			}
		})
	}
	wait.Wait()
}
