package cpu

import (
	"math"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cpu"
)

// The operations of device "cpu" that work row by row: each describes its tensors to a kernel and lets the rows be shared out.

// same complains unless all tensors have the shape of the first.
func (d *processor) same(operation string, first *tensor, others ...*tensor) bool {
	for _, t := range others {
		if t != nil && (t.rows != first.rows || t.cols != first.cols) {
			d.fail("%s: [%d × %d], want [%d × %d]", operation, t.rows, t.cols, first.rows, first.cols)
		}
	}
	return d.err == nil && first.rows > 0 && first.cols > 0
}

// want complains where a condition does not hold.
func (d *processor) want(holds bool, format string, a ...any) bool {
	if !holds {
		d.fail(format, a...)
	}
	return holds
}

func (d *processor) Norm(dst, x device.Tensor, n device.Norm) {
	from, to, weight, bias := d.of("norm", x), d.of("norm", dst), d.of("norm", n.Weight), d.of("norm", n.Bias)
	groups := max(n.Groups, 1)
	if d.err != nil || !d.same("norm", from, to) || !d.want(from.cols%groups == 0, "norm: %d groups of %d columns", groups, from.cols) ||
		!d.want(n.Kind == device.NormRMS || n.Kind == device.NormLayer || n.Kind == device.NormL2, "norm: unknown kind %d", n.Kind) {
		return
	}
	for _, v := range []*tensor{weight, bias} {
		if v != nil && (v.rows != 1 || v.cols != from.cols && v.cols != from.cols/groups) {
			d.fail("norm: weight or bias [%d × %d] for %d columns in %d groups", v.rows, v.cols, from.cols, groups)
			return
		}
	}
	d.rowwise([]*tensor{to, from}, weight, bias)
	args := kernels.NormArguments{Dst: to.arguments(), X: from.arguments(), Groups: int64(groups), Eps: n.Eps, Offset: n.Offset, Kind: int32(n.Kind)}
	if weight != nil {
		args.Weight, args.WeightCols = weight.vector(), int64(weight.cols)
	}
	if bias != nil {
		args.Bias, args.BiasCols = bias.vector(), int64(bias.cols)
	}
	d.step(kernels.Normalise, &args, 60*float64(from.cols))
}

func (d *processor) Add(dst, a, b device.Tensor, scale float32) {
	to, left, right := d.of("add", dst), d.of("add", a), d.of("add", b)
	if d.err != nil || !d.same("add", to, left, right) {
		return
	}
	d.rowwise([]*tensor{to, left, right})
	args := kernels.AddArguments{Dst: to.arguments(), A: left.arguments(), B: right.arguments(), Factor: scale}
	d.step(kernels.Add, &args, 60*float64(to.cols))
}

func (d *processor) Scale(x device.Tensor, factor float32, rows []float32) {
	t := d.of("scale", x)
	if d.err != nil || !d.want(rows == nil || len(rows) == t.rows, "scale: %d row factors, want %d", len(rows), t.rows) || !d.same("scale", t) {
		return
	}
	d.rowwise([]*tensor{t})
	args := kernels.ScaleArguments{X: t.arguments(), Factor: factor, PerRow: pinned(&d.chain.pins, rows)}
	d.step(kernels.Scale, &args, 40*float64(t.cols))
}

func (d *processor) Clamp(x device.Tensor, limit float32) {
	t := d.of("clamp", x)
	if d.err != nil || !d.want(limit >= 0, "clamp: limit %g", limit) || !d.same("clamp", t) {
		return
	}
	d.rowwise([]*tensor{t})
	args := kernels.ScaleArguments{X: t.arguments(), Factor: limit}
	d.step(kernels.Clamp, &args, 40*float64(t.cols))
}

func (d *processor) Activate(dst, gate, up device.Tensor, a device.Activation) {
	to, from, other := d.of("activate", dst), d.of("activate", gate), d.of("activate", up)
	if d.err != nil || !d.want(a.Kind <= device.SwiGLUClamped, "activate: unknown kind %d", a.Kind) {
		return
	}
	args := kernels.ActivateArguments{
		Alpha: a.Alpha, Limit: a.Limit, AlphaP: a.AlphaP, AlphaN: a.AlphaN, Beta: a.Beta, Eps: a.Eps, Kind: int32(a.Kind),
	}
	if a.Interleaved {
		if !d.want(other == nil && from.rows == to.rows && from.cols == 2*to.cols, "activate: interleaved gate [%d × %d] for [%d × %d]",
			from.rows, from.cols, to.rows, to.cols) {
			return
		}
		args.Interleaved = 1
	} else if !d.want(a.Kind != device.SwiGLUClamped || other != nil, "activate: the clamped SwiGLU needs up") || !d.same("activate", to, from) {
		return
	}
	if !d.same("activate", to, other) {
		return
	}
	d.rowwise([]*tensor{to, from, other})
	args.Dst, args.Gate, args.Up = to.arguments(), from.arguments(), other.arguments()
	d.step(kernels.Activate, &args, 160*float64(to.cols))
}

// rotaryTable is a table of rotations: for positions 0..n the cosines, then the sines, of all pairs.
type rotaryTable struct {
	frequencies []float64
	scale       float32
	values      []float32
	positions   int
}

// mostTurns bounds a table's positions; mostTables the tables kept (a model has one or two).
const (
	mostTurns  = 1 << 18
	mostTables = 4
)

// turnsFor finds or extends the table of r for positions below n.
func (d *processor) turnsFor(r device.Rope, n int) []float32 {
	scale := r.Scale
	if scale == 0 {
		scale = 1
	}
	var t *rotaryTable
	for i := range d.turns {
		if d.turns[i].scale == scale && equalFrequencies(d.turns[i].frequencies, r.Frequencies) {
			t = &d.turns[i]
		}
	}
	if t == nil {
		if len(d.turns) == mostTables {
			d.turns = d.turns[1:]
		}
		d.turns = append(d.turns, rotaryTable{frequencies: append([]float64(nil), r.Frequencies...), scale: scale})
		t = &d.turns[len(d.turns)-1]
	}
	if n > t.positions {
		n = max(n, min(2*t.positions, mostTurns), 64)
		grown := make([]float32, n*2*len(r.Frequencies))
		copy(grown, t.values)
		for p := t.positions; p < n; p++ {
			fillTurns(grown[p*2*len(r.Frequencies):], r.Frequencies, p, scale)
		}
		t.values, t.positions = grown, n
	}
	return t.values
}

func equalFrequencies(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func fillTurns(to []float32, frequencies []float64, position int, scale float32) {
	for i, f := range frequencies {
		sin, cos := math.Sincos(float64(position) * f)
		to[i], to[len(frequencies)+i] = float32(cos*float64(scale)), float32(sin*float64(scale))
	}
}

func (d *processor) Rope(x device.Tensor, r device.Rope, positions []int32) {
	t := d.of("rope", x)
	pairs := len(r.Frequencies)
	if d.err != nil || !d.want(len(positions) == t.rows, "rope: %d positions, want %d", len(positions), t.rows) ||
		!d.want(r.HeadDim > 0 && t.cols%r.HeadDim == 0, "rope: heads of %d columns in rows of %d", r.HeadDim, t.cols) ||
		!d.want(r.Offset >= 0 && r.Offset+2*pairs <= r.HeadDim, "rope: %d pairs from column %d on in heads of %d", pairs, r.Offset, r.HeadDim) ||
		!d.same("rope", t) || pairs == 0 {
		return
	}
	highest, at := int32(0), positions
	for _, p := range positions {
		if !d.want(p >= 0, "rope: position %d", p) {
			return
		}
		highest = max(highest, p)
	}
	var turns []float32
	if int(highest) < mostTurns {
		turns = d.turnsFor(r, int(highest)+1)
	} else { // positions too far apart for a table of all: one entry a row
		scale := r.Scale
		if scale == 0 {
			scale = 1
		}
		turns, at = make([]float32, t.rows*2*pairs), make([]int32, t.rows)
		for i, p := range positions {
			fillTurns(turns[i*2*pairs:], r.Frequencies, int(p), scale)
			at[i] = int32(i)
		}
	}
	d.rowwise([]*tensor{t})
	args := kernels.RotateArguments{X: t.arguments(), Turns: pinned(&d.chain.pins, turns), At: pinned(&d.chain.pins, at), HeadDim: int64(r.HeadDim),
		Offset: int64(r.Offset), Pairs: int64(pairs)}
	if r.Interleaved {
		args.Interleaved = 1
	}
	d.step(kernels.Rotate, &args, 60*float64(t.cols))
}

func (d *processor) Embed(dst device.Tensor, table device.Matrix, ids []int32, scale float32) {
	to, from := d.of("embed", dst), d.matrix("embed", table)
	if d.err != nil || !d.want(len(ids) == to.rows && from.In() == to.cols, "embed: %d ids of %d values into [%d × %d]", len(ids), from.In(), to.rows,
		to.cols) {
		return
	}
	for _, id := range ids {
		if !d.want(id >= 0 && int(id) < from.Out(), "embed: token %d, the table has %d", id, from.Out()) {
			return
		}
	}
	if !d.same("embed", to) {
		return
	}
	args := kernels.EmbedArguments{Dst: to.arguments(), Table: from.args, IDs: pinned(&d.pins, ids), Scale: scale}
	d.do(kernels.Embed, &args, int64(to.rows), rowPortion(to.cols, 200))
}

// matrix checks that a weight is this device's and not released.
func (d *processor) matrix(operation string, m device.Matrix) *matrix {
	own, ok := m.(*matrix)
	if !ok {
		d.fail("%s: a weight of another device (%T)", operation, m)
		return &matrix{}
	}
	if own.released {
		d.fail("%s: weight %s is released", operation, own.weight.Name)
	}
	return own
}

func (d *processor) Gather(dst, src device.Tensor, rows []int32) {
	to, from := d.of("gather", dst), d.of("gather", src)
	if d.err != nil || !d.want(len(rows) == to.rows && from.cols == to.cols, "gather: %d rows of %d values into [%d × %d]", len(rows), from.cols,
		to.rows, to.cols) ||
		!d.inside("gather", rows, from.rows) || !d.same("gather", to) {
		return
	}
	args := kernels.RowsArguments{Dst: to.arguments(), Src: from.arguments(), Rows: pinned(&d.pins, rows)}
	d.do(kernels.Gather, &args, int64(to.rows), rowPortion(to.cols, 40))
}

// inside checks row numbers.
func (d *processor) inside(operation string, rows []int32, n int) bool {
	for _, row := range rows {
		if row < 0 || int(row) >= n {
			d.fail("%s: row %d of %d", operation, row, n)
			return false
		}
	}
	return true
}

func (d *processor) Scatter(dst, src device.Tensor, rows []int32, weights []float32) {
	to, from := d.of("scatter", dst), d.of("scatter", src)
	if d.err != nil || !d.want(len(rows) == from.rows && from.cols == to.cols, "scatter: %d rows, [%d × %d] into rows of %d", len(rows), from.rows,
		from.cols, to.cols) ||
		!d.want(weights == nil || len(weights) == len(rows), "scatter: %d weights, want %d", len(weights), len(rows)) ||
		!d.inside("scatter", rows, to.rows) || !d.same("scatter", from) {
		return
	}
	args := kernels.RowsArguments{Dst: to.arguments(), Src: from.arguments(), Rows: pinned(&d.pins, rows), Weights: pinned(&d.pins, weights)}
	// jobs are runs of columns, so that rows named twice are added in their order; portions on cache lines
	portion := (portionOf(60*float64(from.rows)) + 63) / 64 * 64
	d.do(kernels.Scatter, &args, int64(to.cols), portion)
}

func (d *processor) Columns(dst, src device.Tensor, moves []device.Move) {
	to, from := d.of("columns", dst), d.of("columns", src)
	if d.err != nil || !d.want(to.rows == from.rows, "columns: %d rows, want %d", from.rows, to.rows) {
		return
	}
	flat, width := make([]int64, 0, 3*len(moves)), 0
	for _, m := range moves {
		if !d.want(m.From >= 0 && m.To >= 0 && m.Count >= 0 && m.From+m.Count <= from.cols && m.To+m.Count <= to.cols,
			"columns: %d from column %d to column %d: rows have %d and %d", m.Count, m.From, m.To, from.cols, to.cols) {
			return
		}
		flat = append(flat, int64(m.From), int64(m.To), int64(m.Count))
		width += m.Count
	}
	if width == 0 || !d.same("columns", to) {
		return
	}
	d.rowwise([]*tensor{to, from})
	args := kernels.ColumnsArguments{Dst: to.arguments(), Src: from.arguments(), Moves: pinned(&d.chain.pins, flat), Count: int64(len(moves))}
	d.step(kernels.Columns, &args, 40*float64(width))
}
