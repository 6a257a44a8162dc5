package cpu

import (
	"math"
	"unsafe"
)

// Plain Go for the statistics: one value after another, as measure.c's head describes them.

func (a *MeasureArguments) measure(_ unsafe.Pointer, from, to int64) {
	blocks, out := slice[int64](a.Blocks, 2*to), slice[RowSums](a.Out, to)
	for b := from; b < to; b++ {
		out[b] = RowSums{}
		for s := range out[b].Site {
			out[b].Site[s].Min, out[b].Site[s].Max = math.Inf(1), math.Inf(-1)
		}
		for row := blocks[2*b]; row < blocks[2*b+1]; row++ {
			a.row(row, &out[b])
		}
	}
}

func (a *MeasureArguments) row(row int64, out *RowSums) {
	if a.Y.Data != nil {
		y := a.Y.row(row)
		_, squares := sums(y)
		rms := math.Sqrt(squares / float64(len(y)))
		a.site(&out.Site[0], y, rms)
		if a.X.Data != nil {
			x, delta := a.X.row(row), make([]float32, len(y))
			product := 0.0
			for j := range y {
				delta[j] = y[j] - x[j]
				product += float64(x[j]) * float64(y[j])
			}
			a.site(&out.Site[1], delta, rms)
			_, own := sums(x)
			_, distance := sums(delta)
			out.Distance += math.Sqrt(distance)
			if length := math.Sqrt(squares) * math.Sqrt(own); length != 0 {
				out.Cosine += product / length
			}
			if squares != 0 {
				out.Relative += math.Sqrt(distance) / math.Sqrt(squares)
			}
		}
		if a.Attn.Data != nil {
			a.site(&out.Site[2], a.Attn.row(row), rms)
		}
		if a.MLP.Data != nil {
			a.site(&out.Site[3], a.MLP.row(row), rms)
		}
	}
	if a.Act.Data != nil {
		act := a.Act.row(row)
		_, squares := sums(act)
		a.site(&out.Site[4], act, math.Sqrt(squares/float64(len(act))))
	}
}

// sums are Σx and Σx².
func sums(x []float32) (sum, squares float64) {
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	return sum, squares
}

func (a *MeasureArguments) site(m *Moments, x []float32, rms float64) {
	for _, f := range x {
		v := float64(f)
		m.Sum += v
		m.Sum2 += v * v
		m.Sum3 += v * v * v
		m.Sum4 += v * v * v * v
		m.SumAbs += math.Abs(v)
		if v < m.Min {
			m.Min = v
		}
		if v > m.Max {
			m.Max = v
		}
		for e := range a.EpsCount {
			if math.Abs(v) < float64(a.Eps[e]) {
				m.Below[e]++
			}
		}
		if math.IsNaN(v) {
			m.NaN++
		}
		if math.IsInf(v, 0) {
			m.Inf++
		}
		relative := 0.0
		if rms != 0 {
			relative = v / rms
		}
		m.RelativeSum += relative
		m.RelativeSum2 += relative * relative
		if math.Abs(relative) < float64(a.Near) {
			m.Near++
		}
	}
}

func (a *PoolArguments) pool(_ unsafe.Pointer, from, to int64) {
	sequences, out := slice[int64](a.Sequences, 2*to), slice[float64](a.Out, to)
	for i := from; i < to; i++ {
		rows := float64(sequences[2*i+1] - sequences[2*i])
		pooled := make([]float64, a.X.Cols)
		for row := sequences[2*i]; row < sequences[2*i+1]; row++ {
			for c, v := range a.X.row(row) {
				if a.Minus.Data != nil {
					v -= a.Minus.row(row)[c]
				}
				pooled[c] += float64(v)
			}
		}
		mean, squares := 0.0, 0.0
		for c := range pooled {
			pooled[c] /= rows
			mean += pooled[c]
		}
		mean /= float64(len(pooled))
		for _, v := range pooled {
			squares += (v - mean) * (v - mean)
		}
		out[i] = 0
		if rows > 0 && len(pooled) > 1 {
			out[i] = squares / float64(len(pooled)-1)
		}
	}
}
