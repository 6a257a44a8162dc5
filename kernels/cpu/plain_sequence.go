package cpu

import (
	"math"
	"slices"
	"unsafe"
)

// Plain Go for what works along sequences: loops in float64, one row at a time.

// seen is the first key that position p sees and one past the last, of `keys` in all.
func (a *AttentionArguments) seen(p, keys int64) (first, end int64) {
	end = keys
	if a.Causal != 0 {
		end = p + 1
	}
	if a.Window > 0 {
		first = max(first, p-a.Window+1)
	}
	if a.Chunk > 0 {
		first, end = max(first, p/a.Chunk*a.Chunk), min(end, (p/a.Chunk+1)*a.Chunk)
	}
	return first, min(end, keys)
}

func (a *AttentionArguments) attend(_ unsafe.Pointer, from, to int64) {
	group := a.Heads / a.KVHeads
	for i := from; i < to; i++ {
		job := slice[int64](a.Jobs, (i/a.KVHeads+1)*7)[i/a.KVHeads*7:]
		for r := range job[1] {
			for head := i % a.KVHeads * group; head < (i%a.KVHeads+1)*group; head++ {
				a.row(job, r, head)
			}
		}
	}
}

func (a *AttentionArguments) attendFew(_ unsafe.Pointer, from, to int64) {
	for i := from; i < to; i++ {
		a.row(slice[int64](a.Jobs, (i/a.Heads+1)*7)[i/a.Heads*7:], 0, i%a.Heads)
	}
}

// operand is a value as the products take it.
func (a *AttentionArguments) operand(v float32) float32 {
	if a.BF16 != 0 {
		return roundedBF16(v)
	}
	return v
}

// row is one head of query row r of a job.
func (a *AttentionArguments) row(job []int64, r, head int64) {
	kv, p := head/(a.Heads/a.KVHeads), job[2]+r
	first, end := a.seen(p, job[4]+job[6])
	at := func(j int64) int64 { // the row of key j: the prefix's, then the sequence's own
		if j < job[6] {
			return job[5] + j
		}
		return job[3] + j - job[6]
	}
	q := slices.Clone(a.Q.row(job[0] + r)[head*a.HeadDim:][:a.HeadDim])
	for d, v := range q {
		q[d] = a.operand(v * a.Scale)
	}
	scores, most := make([]float64, max(0, end-first)), math.Inf(-1)
	if a.Sinks != nil {
		most = float64(slice[float32](a.Sinks, a.Heads)[head])
	}
	for j := range scores {
		key := a.K.row(at(first + int64(j)))[kv*a.HeadDim:]
		for d, v := range q {
			scores[j] += float64(v) * float64(a.operand(key[d]))
		}
		if a.SoftCap > 0 {
			scores[j] = float64(a.SoftCap) * math.Tanh(scores[j]/float64(a.SoftCap))
		}
		if a.Slopes != nil {
			scores[j] += float64(slice[float32](a.Slopes, a.Heads)[head]) * float64(first+int64(j)-p)
		}
		most = max(most, scores[j])
	}
	sum, out := 0.0, make([]float64, a.ValueDim)
	if a.Sinks != nil {
		sum = math.Exp(float64(slice[float32](a.Sinks, a.Heads)[head]) - most)
	}
	for j, score := range scores {
		weight := math.Exp(score - most)
		sum += weight // not yet rounded
		if a.BF16 != 0 {
			weight = float64(roundedBF16(float32(weight)))
		}
		for d, v := range a.V.row(at(first + int64(j)))[kv*a.ValueDim:][:a.ValueDim] {
			out[d] += weight * float64(a.operand(v))
		}
	}
	dst := a.Dst.row(job[0] + r)[head*a.ValueDim:]
	for d, v := range out {
		dst[d] = float32(v / sum)
	}
}

func (a *ConvolveArguments) convolve(_ unsafe.Pointer, from, to int64) {
	position, start := slice[int32](a.Position, a.Dst.Rows), slice[int32](a.Start, a.Dst.Rows)
	before, bias := slice[int32](a.Before, a.Dst.Rows), slice[float32](a.Bias, a.Dst.Cols)
	for row := from; row < to; row++ {
		own := row - int64(start[row])
		for c := range a.Dst.row(row) {
			sum := 0.0
			if bias != nil {
				sum = float64(bias[c])
			}
			for w, tap := range a.Kernel.row(int64(c)) {
				back := a.Kernel.Cols - 1 - int64(w)
				switch {
				case back > int64(position[row]):
				case back <= own:
					sum += float64(tap) * float64(a.X.row(row - back)[c])
				default:
					sum += float64(tap) * float64(a.X.row(int64(before[row]) - (back - own))[c])
				}
			}
			a.Dst.row(row)[c] = float32(sum)
		}
	}
}

func (a *DeltaArguments) delta(_ unsafe.Pointer, from, to int64) {
	for job := from; job < to; job++ {
		rows, head := slice[int64](a.Sequences, (job/a.Heads+1)*4)[job/a.Heads*4:], job%a.Heads
		state := make([]float64, a.KeyDim*a.ValueDim)
		var kept []float32
		if a.Kept.Data != nil {
			kept = a.Kept.row(job / a.Heads)[head*a.KeyDim*a.ValueDim:]
			for i := range state {
				state[i] = float64(kept[i])
			}
		}
		for row := rows[2]; row < rows[3]; row++ {
			a.step(state, row, head)
		}
		for row := rows[0]; row < rows[1]; row++ {
			dst := a.Dst.row(row)[head*a.ValueDim:]
			for j, v := range a.step(state, row, head) {
				dst[j] = float32(v)
			}
		}
		if kept != nil {
			for i, v := range state {
				kept[i] = float32(v)
			}
		}
	}
}

// step takes a head's state over one row and returns what its query reads.
func (a *DeltaArguments) step(state []float64, row, head int64) []float64 {
	key := head / (a.Heads / a.KeyHeads) * a.KeyDim
	q, k, v := a.Q.row(row)[key:][:a.KeyDim], a.K.row(row)[key:][:a.KeyDim], a.V.row(row)[head*a.ValueDim:][:a.ValueDim]
	decay, beta := math.Exp(float64(a.Gate.row(row)[head])), float64(a.Beta.row(row)[head])
	held, out := make([]float64, a.ValueDim), make([]float64, a.ValueDim)
	for i, ki := range k {
		s := state[int64(i)*a.ValueDim:][:a.ValueDim]
		for j := range s {
			s[j] *= decay
			held[j] += float64(ki) * s[j]
		}
	}
	for i, ki := range k {
		s := state[int64(i)*a.ValueDim:][:a.ValueDim]
		for j := range s {
			s[j] += float64(ki) * beta * (float64(v[j]) - held[j])
			out[j] += float64(q[i]) * s[j]
		}
	}
	return out
}
