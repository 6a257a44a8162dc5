package reference

import (
	"math"

	"avssnative/engine/device"
)

// Device "reference": the statistics of a block.

func (d *plain) Measure(m *device.Measure) {
	c := d.check("measure")
	x := c.optional("x", m.X, anyExtent, anyExtent)
	y := c.optional("y", m.Y, anyExtent, anyExtent)
	attn := c.optional("attn", m.Attn, anyExtent, anyExtent)
	mlp := c.optional("mlp", m.MLP, anyExtent, anyExtent)
	act := c.optional("act", m.Act, anyExtent, anyExtent)
	c.want(len(m.Eps) <= device.MaxEps, "%d thresholds, at most %d", len(m.Eps), device.MaxEps)
	c.want(y != nil || attn == nil && mlp == nil, "attn and mlp are measured relative to y, which is missing")
	rows := 0
	for _, t := range []*tensor{x, y, attn, mlp, act} {
		if t != nil {
			rows = t.rows
		}
	}
	for _, t := range []*tensor{x, y, attn, mlp, act} {
		c.want(t == nil || t.rows == rows, "tensors of different numbers of rows")
		c.want(t == nil || t == act || y == nil || t.cols == y.cols, "x, y, attn and mlp of different widths")
	}
	c.layout(m.Layout, rows)
	if c.failed() {
		return
	}
	m.Out = make([]device.SequenceMeasure, m.Layout.Sequences())
	d.each(len(m.Out), func(i int) {
		first, end := int(m.Layout.Start[i]), int(m.Layout.Start[i+1])
		out := &m.Out[i]
		out.Tokens = end - first
		if y != nil {
			out.Sites[device.SiteBlock] = moments(m, lines(y, first, end), lines(y, first, end))
		}
		if x != nil && y != nil {
			out.Sites[device.SiteDelta] = moments(m, differences(lines(y, first, end), lines(x, first, end)), lines(y, first, end))
			out.Pairs = pairs(lines(x, first, end), lines(y, first, end))
		}
		if attn != nil {
			out.Sites[device.SiteAttn] = moments(m, lines(attn, first, end), lines(y, first, end))
		}
		if mlp != nil {
			out.Sites[device.SiteMLP] = moments(m, lines(mlp, first, end), lines(y, first, end))
		}
		if act != nil {
			out.Sites[device.SiteAct] = moments(m, lines(act, first, end), lines(act, first, end))
		}
	})
}

func lines(t *tensor, first, end int) [][]float64 {
	rows := make([][]float64, 0, end-first)
	for row := first; row < end; row++ {
		rows = append(rows, t.line(row))
	}
	return rows
}

func differences(a, b [][]float64) [][]float64 {
	rows := make([][]float64, len(a))
	for i := range a {
		rows[i] = make([]float64, len(a[i]))
		for j := range a[i] {
			rows[i][j] = a[i][j] - b[i][j]
		}
	}
	return rows
}

// moments sums the values of one sequence; scale holds the rows whose RMS the relative values are divided by. Min and Max are those of
// the numbers among the values, and zero where there is none.
func moments(m *device.Measure, rows, scale [][]float64) device.Moments {
	out := device.Moments{Min: math.Inf(1), Max: math.Inf(-1)}
	for i, row := range rows {
		rms := rootMeanSquare(scale[i])
		for _, v := range row {
			out.N++
			out.Sum += v
			out.Sum2 += v * v
			out.Sum3 += v * v * v
			out.Sum4 += v * v * v * v
			out.SumAbs += math.Abs(v)
			if v < out.Min {
				out.Min = v
			}
			if v > out.Max {
				out.Max = v
			}
			for e, eps := range m.Eps {
				if math.Abs(v) < float64(eps) {
					out.Below[e]++
				}
			}
			switch {
			case math.IsNaN(v):
				out.NaN++
			case math.IsInf(v, 0):
				out.Inf++
			}
			relative := 0.0
			if rms != 0 {
				relative = v / rms
			}
			out.RelativeSum += relative
			out.RelativeSum2 += relative * relative
			if math.Abs(relative) < float64(m.Relative) {
				out.RelativeBelow++
			}
		}
	}
	if out.N == out.NaN {
		out.Min, out.Max = 0, 0
	}
	if m.Pooled {
		out.PooledVariance = pooledVariance(rows)
	}
	return out
}

func rootMeanSquare(row []float64) float64 {
	return math.Sqrt(dot(row, row) / float64(len(row)))
}

// pooledVariance is the unbiased variance over columns of the mean over rows; zero where there are fewer than two columns or no row.
func pooledVariance(rows [][]float64) float64 {
	if len(rows) == 0 || len(rows[0]) < 2 {
		return 0
	}
	columns := float64(len(rows[0]))
	pooled := make([]float64, len(rows[0]))
	for _, row := range rows {
		for j, v := range row {
			pooled[j] += v / float64(len(rows))
		}
	}
	mean := 0.0
	for _, v := range pooled {
		mean += v / columns
	}
	squares := 0.0
	for _, v := range pooled {
		squares += (v - mean) * (v - mean)
	}
	return squares / (columns - 1)
}

func pairs(x, y [][]float64) device.Pairs {
	var out device.Pairs
	for i, delta := range differences(y, x) {
		lengthX, lengthY, distance := math.Sqrt(dot(x[i], x[i])), math.Sqrt(dot(y[i], y[i])), math.Sqrt(dot(delta, delta))
		out.Distance += distance
		if lengthX != 0 && lengthY != 0 {
			out.Cosine += dot(x[i], y[i]) / (lengthX * lengthY)
		}
		if lengthY != 0 {
			out.Relative += distance / lengthY
		}
	}
	return out
}
