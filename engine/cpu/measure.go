package cpu

import (
	"math"
	"sort"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cpu"
)

// measureRows is how many rows one record of sums covers, counted from the start of a sequence: part of the result's last bits.
const measureRows = 16

func (d *processor) Measure(m *device.Measure) {
	x, y, attn, mlp, act := d.of("measure", m.X), d.of("measure", m.Y), d.of("measure", m.Attn), d.of("measure", m.MLP), d.of("measure", m.Act)
	rows, fit := d.measurable(m, x, y, attn, mlp, act)
	if !fit {
		return
	}
	m.Out = make([]device.SequenceMeasure, m.Layout.Sequences())
	blocks := measureBlocks(m.Layout)
	sums := make([]kernels.RowSums, len(blocks)/2)
	if rows > 0 {
		d.rowwise([]*tensor{x, y, attn, mlp, act})
		d.chain.blocks = blocks
	}
	args := kernels.MeasureArguments{
		X: x.arguments(), Y: y.arguments(), Attn: attn.arguments(), MLP: mlp.arguments(), Act: act.arguments(),
		Blocks: pinned(&d.chain.pins, blocks), Out: pinned(&d.chain.pins, sums), EpsCount: int64(len(m.Eps)), Near: m.Relative,
	}
	order := ascending(m.Eps) // as the kernel takes the thresholds
	for i, e := range order {
		args.Eps[i] = m.Eps[e]
	}
	values := 0
	for _, t := range []*tensor{x, y, attn, mlp, act} {
		if t != nil {
			values += t.cols
		}
	}
	if rows > 0 {
		d.chain.steps = append(d.chain.steps, rowStep{kernels.Measure, &args, true})
		d.chain.cost += 60 * float64(values)
		d.runChain()
	}
	if d.err != nil {
		return
	}
	at := 0
	for i := range m.Out {
		out := &m.Out[i]
		out.Tokens = int(m.Layout.Start[i+1] - m.Layout.Start[i])
		for left := out.Tokens; left > 0; left -= measureRows {
			addRows(out, &sums[at], order)
			at++
		}
		for site, t := range [device.Sites]*tensor{y, deltaOf(x, y), attn, mlp, act} {
			if t != nil {
				finish(&out.Sites[site], int64(out.Tokens), int64(t.cols))
			} else {
				out.Sites[site] = device.Moments{}
			}
		}
	}
	if m.Pooled {
		d.pool(m, [device.Sites]*tensor{y, deltaOf(x, y), attn, mlp, act}, x)
	}
}

// measurable says whether the tensors fit one another, and how many rows they have.
func (d *processor) measurable(m *device.Measure, x, y, attn, mlp, act *tensor) (rows int, fit bool) {
	if d.err != nil || !d.want(len(m.Eps) <= device.MaxEps, "measure: %d thresholds, at most %d", len(m.Eps), device.MaxEps) ||
		!d.want(y != nil || attn == nil && mlp == nil, "measure: attn and mlp are relative to y, which is missing") {
		return 0, false
	}
	for _, t := range []*tensor{x, y, attn, mlp, act} {
		if t != nil {
			rows = t.rows
		}
	}
	for _, t := range []*tensor{x, y, attn, mlp, act} {
		if t != nil && !d.want(t.rows == rows && (t == act || y == nil || t.cols == y.cols), "measure: [%d × %d] beside %d rows", t.rows, t.cols, rows) {
			return 0, false
		}
	}
	return rows, d.layout("measure", m.Layout, rows)
}

// ascending is the order of some values, the least first.
func ascending(values []float32) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return values[order[a]] < values[order[b]] })
	return order
}

// deltaOf is y where there is a difference to measure.
func deltaOf(x, y *tensor) *tensor {
	if x == nil {
		return nil
	}
	return y
}

// measureBlocks cuts sequences into runs of measureRows rows: (first, end) of each.
func measureBlocks(l *device.Layout) []int64 {
	var blocks []int64
	for i := range l.Sequences() {
		for row := l.Start[i]; row < l.Start[i+1]; row += measureRows {
			blocks = append(blocks, int64(row), int64(min(row+measureRows, l.Start[i+1])))
		}
	}
	return blocks
}

// addRows adds a block of rows; order says which threshold each count belongs to.
func addRows(s *device.SequenceMeasure, r *kernels.RowSums, order []int) {
	for site := range s.Sites {
		m, n := &s.Sites[site], &r.Site[site]
		if m.N == 0 {
			m.Min, m.Max = math.Inf(1), math.Inf(-1)
		}
		m.N++ // blocks so far; finish sets the number of values
		m.Sum, m.Sum2, m.Sum3, m.Sum4 = m.Sum+n.Sum, m.Sum2+n.Sum2, m.Sum3+n.Sum3, m.Sum4+n.Sum4
		m.SumAbs += n.SumAbs
		m.Min, m.Max = min(m.Min, n.Min), max(m.Max, n.Max)
		m.RelativeSum, m.RelativeSum2 = m.RelativeSum+n.RelativeSum, m.RelativeSum2+n.RelativeSum2
		m.RelativeBelow += n.Near
		for i, e := range order {
			m.Below[e] += n.Below[i]
		}
		m.NaN, m.Inf = m.NaN+n.NaN, m.Inf+n.Inf
	}
	s.Pairs.Cosine += r.Cosine
	s.Pairs.Distance += r.Distance
	s.Pairs.Relative += r.Relative
}

// finish sets the number of values; extremes of no number at all are zero.
func finish(m *device.Moments, rows, cols int64) {
	m.N = rows * cols
	if m.N == m.NaN {
		m.Min, m.Max = 0, 0
	}
}

// pool fills in the variances over columns of the means over tokens.
func (d *processor) pool(m *device.Measure, sites [device.Sites]*tensor, x *tensor) {
	sequences := make([]int64, 0, 2*len(m.Out))
	for i := range m.Out {
		sequences = append(sequences, int64(m.Layout.Start[i]), int64(m.Layout.Start[i+1]))
	}
	out := make([]float64, len(m.Out))
	for site, t := range sites {
		if t == nil || t.cols < 2 {
			continue
		}
		args := kernels.PoolArguments{X: t.arguments(), Sequences: pinned(&d.pins, sequences), Out: pinned(&d.pins, out)}
		if device.Site(site) == device.SiteDelta {
			args.Minus = x.arguments()
		}
		d.do(kernels.Pool, &args, int64(len(out)), portionOf(60*float64(t.rows*t.cols)/float64(len(out))))
		for i := range m.Out {
			if d.err == nil {
				m.Out[i].Sites[site].PooledVariance = out[i]
			}
		}
	}
}
