package cpu

import (
	"math"
	"unsafe"
)

// Plain Go for what works row by row. Each value is computed in float64 and rounded once.

func (a *NormArguments) normalise(_ unsafe.Pointer, from, to int64) {
	n := a.X.Cols / a.Groups
	weight, bias := slice[float32](a.Weight, a.WeightCols), slice[float32](a.Bias, a.BiasCols)
	for row := from; row < to; row++ {
		for g := range a.Groups {
			x, d := a.X.row(row)[g*n:(g+1)*n], a.Dst.row(row)[g*n:(g+1)*n]
			mean, squares := 0.0, 0.0
			if a.Kind == 2 { // LayerNorm
				for _, v := range x {
					mean += float64(v)
				}
				mean /= float64(n)
			}
			for _, v := range x {
				squares += (float64(v) - mean) * (float64(v) - mean)
			}
			if a.Kind != 3 { // all but L2
				squares /= float64(n)
			}
			inverse := 1 / math.Sqrt(squares+float64(a.Eps))
			for j, v := range x {
				y := (float64(v) - mean) * inverse
				if weight != nil {
					y *= float64(weight[(g*n+int64(j))%a.WeightCols]) + float64(a.Offset)
				} else {
					y *= 1 + float64(a.Offset)
				}
				if bias != nil {
					y += float64(bias[(g*n+int64(j))%a.BiasCols])
				}
				d[j] = float32(y)
			}
		}
	}
}

func (a *AddArguments) add(_ unsafe.Pointer, from, to int64) {
	for row := from; row < to; row++ {
		d, x, y := a.Dst.row(row), a.A.row(row), a.B.row(row)
		for j := range d {
			d[j] = float32(float64(x[j]) + float64(a.Factor)*float64(y[j]))
		}
	}
}

func (a *ScaleArguments) scale(_ unsafe.Pointer, from, to int64) {
	rows := slice[float32](a.PerRow, a.X.Rows)
	for row := from; row < to; row++ {
		factor := a.Factor
		if rows != nil {
			factor *= rows[row]
		}
		for j, v := range a.X.row(row) {
			a.X.row(row)[j] = v * factor
		}
	}
}

func (a *ScaleArguments) clamp(_ unsafe.Pointer, from, to int64) {
	for row := from; row < to; row++ {
		x := a.X.row(row)
		for j, v := range x {
			x[j] = max(-a.Factor, min(a.Factor, v))
		}
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// value is the non-linearity at x: kinds as engine.ActivationKind.
func (a *ActivateArguments) value(x float64) float64 {
	switch a.Kind {
	case 1:
		return x * sigmoid(x)
	case 2:
		return x / 2 * math.Erfc(-x/math.Sqrt2)
	case 3:
		return x * sigmoid(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
	case 4:
		return x * sigmoid(1.702*x)
	case 5:
		return max(x, 0)
	case 6:
		return max(x, 0) * max(x, 0)
	case 7:
		return sigmoid(x)
	case 8:
		return math.Tanh(x)
	case 9:
		if x > 0 {
			return float64(a.AlphaP)*x*x + float64(a.Beta)*x
		}
		return (math.Expm1(min(x, float64(a.Eps)))-x)*float64(a.AlphaN) + float64(a.Beta)*x
	}
	return x
}

func (a *ActivateArguments) gated(gate, up float64) float64 {
	if a.Kind == 10 { // gpt-oss
		limit := float64(a.Limit)
		gate, up = min(gate, limit), max(-limit, min(limit, up))
		return gate * sigmoid(float64(a.Alpha)*gate) * (up + 1)
	}
	return a.value(gate) * up
}

func (a *ActivateArguments) activate(_ unsafe.Pointer, from, to int64) {
	for row := from; row < to; row++ {
		d, g := a.Dst.row(row), a.Gate.row(row)
		for j := range d {
			switch {
			case a.Interleaved != 0:
				d[j] = float32(a.gated(float64(g[2*j]), float64(g[2*j+1])))
			case a.Up.Data != nil:
				d[j] = float32(a.gated(float64(g[j]), float64(a.Up.row(row)[j])))
			default:
				d[j] = float32(a.value(float64(g[j])))
			}
		}
	}
}

func (a *RotateArguments) rotate(_ unsafe.Pointer, from, to int64) {
	at := slice[int32](a.At, a.X.Rows)
	for row := from; row < to; row++ {
		turns := slice[float32](a.Turns, (int64(at[row])+1)*2*a.Pairs)[int64(at[row])*2*a.Pairs:]
		for head := a.Offset; head < a.X.Cols; head += a.HeadDim {
			x := a.X.row(row)[head:]
			for i := range a.Pairs {
				first, second := i, i+a.Pairs
				if a.Interleaved != 0 {
					first, second = 2*i, 2*i+1
				}
				p, q, c, s := float64(x[first]), float64(x[second]), float64(turns[i]), float64(turns[a.Pairs+i])
				x[first], x[second] = float32(p*c-q*s), float32(q*c+p*s)
			}
		}
	}
}

func (a *EmbedArguments) embed(_ unsafe.Pointer, from, to int64) {
	ids := slice[int32](a.IDs, a.Dst.Rows)
	for row := from; row < to; row++ {
		d := a.Dst.row(row)
		a.Table.output(d, int64(ids[row]))
		for j := range d {
			d[j] *= a.Scale
		}
	}
}

func (a *RowsArguments) gather(_ unsafe.Pointer, from, to int64) {
	rows := slice[int32](a.Rows, a.Dst.Rows)
	for row := from; row < to; row++ {
		copy(a.Dst.row(row), a.Src.row(int64(rows[row])))
	}
}

func (a *RowsArguments) scatter(_ unsafe.Pointer, from, to int64) {
	rows, weights := slice[int32](a.Rows, a.Src.Rows), slice[float32](a.Weights, a.Src.Rows)
	for i, row := range rows {
		weight := 1.0
		if weights != nil {
			weight = float64(weights[i])
		}
		d, s := a.Dst.row(int64(row)), a.Src.row(int64(i))
		for j := from; j < to; j++ {
			d[j] = float32(float64(d[j]) + weight*float64(s[j]))
		}
	}
}

func (a *ColumnsArguments) columns(_ unsafe.Pointer, from, to int64) {
	moves := slice[int64](a.Moves, 3*a.Count)
	for row := from; row < to; row++ {
		for m := 0; m < len(moves); m += 3 {
			copy(a.Dst.row(row)[moves[m+1]:][:moves[m+2]], a.Src.row(row)[moves[m]:])
		}
	}
}
