package cpu

import (
	"math"
	"unsafe"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cpu"
)

// headChunk is how many columns of the vocabulary one record of the head covers: part of the result's last bits.
const headChunk = 2048

func (d *processor) Head(h *device.Head) {
	weight, bias := d.matrix("head", h.Weight), d.of("head", h.Bias)
	if d.err != nil || !d.want(len(h.X) > 0, "head: no rows") || !d.want(weight.Out() > 0, "head: empty vocabulary") ||
		!d.want(h.SoftCap >= 0, "head: soft cap %g", h.SoftCap) ||
		!d.want(bias == nil || bias.rows == 1 && bias.cols == weight.Out(), "head: bias for a vocabulary of %d", weight.Out()) {
		return
	}
	variants := make([]*tensor, len(h.X))
	for v, x := range h.X {
		variants[v] = d.of("head", x)
		if d.err != nil || !d.want(variants[v].cols == weight.In() && variants[v].rows == variants[0].rows, "head: [%d × %d], want [%d × %d]",
			variants[v].rows, variants[v].cols, variants[0].rows, weight.In()) {
			return
		}
	}
	rows := variants[0].rows
	offsets := h.Offsets
	if offsets == nil && len(h.Targets) == 0 {
		offsets = make([]int32, rows+1)
	}
	if !d.targets(h, offsets, rows, weight.Out()) {
		return
	}
	h.Rows, h.LogProbs = make([][]device.HeadRow, len(h.X)), make([][]float64, len(h.X))
	for v := range variants {
		h.Rows[v], h.LogProbs[v] = make([]device.HeadRow, rows), make([]float64, len(h.Targets))
	}
	turn := max(mostPacked/(4*max(weight.In(), 1))/len(variants), 84)
	for row := 0; row < rows && d.err == nil; row += turn {
		d.headRows(h, weight, bias, variants, offsets, row, min(turn, rows-row))
	}
}

// targets checks that the wanted tokens are of the vocabulary and shared out among the rows.
func (d *processor) targets(h *device.Head, offsets []int32, rows, vocab int) bool {
	if !d.want(len(offsets) == rows+1, "head: %d offsets, want %d", len(offsets), rows+1) ||
		!d.want(offsets[0] == 0 && int(offsets[rows]) == len(h.Targets), "head: offsets from %d to %d, want 0 to %d", offsets[0], offsets[rows],
			len(h.Targets)) {
		return false
	}
	for r := range rows {
		if !d.want(offsets[r] <= offsets[r+1], "head: offsets descend at row %d", r) {
			return false
		}
	}
	for t, id := range h.Targets {
		if !d.want(id >= 0 && int(id) < vocab, "head: token id %d at target %d, vocabulary has %d", id, t, vocab) {
			return false
		}
	}
	return true
}

// headRows does rows first..first+n of all variants.
func (d *processor) headRows(h *device.Head, weight *matrix, bias *tensor, variants []*tensor, offsets []int32, first, n int) {
	own := make([]int32, n+1)
	for i := range own {
		own[i] = offsets[first+i] - offsets[first]
	}
	targets := h.Targets[offsets[first]:offsets[first+n]]
	packed := make([]unsafe.Pointer, len(variants))
	for v, x := range variants {
		view := x.Slice(first, n).(*tensor)
		args := kernels.ProductArguments{X: view.arguments(), Precision: weight.precision}
		if packed[v] = d.pack(v, &args, view); packed[v] == nil {
			return
		}
	}
	high := int(d.kernels.PanelRows(weight.precision))
	rowsJob := min((n+high-1)/high*high, max(504/len(variants)/high*high, high))
	chunks := (weight.Out() + headChunk - 1) / headChunk
	parts := make([]kernels.HeadPart, len(variants)*n*chunks)
	logits := make([]float32, len(variants)*len(targets))
	args := kernels.HeadArguments{
		W: weight.args, Bias: bias.vector(), Packed: pinned(&d.pins, packed), Offsets: pinned(&d.pins, own), Targets: pinned(&d.pins, targets),
		TargetLogits: pinned(&d.pins, logits), Parts: pinned(&d.pins, parts),
		Variants: int64(len(variants)), Rows: int64(n), TargetCount: int64(len(targets)),
		RowsJob: int64(rowsJob), Chunk: headChunk, Scale: h.Scale, SoftCap: h.SoftCap, Precision: weight.precision,
	}
	if args.Scale == 0 {
		args.Scale = 1
	}
	if h.Diverge {
		args.Diverge = 1
	}
	jobs := int64((n + rowsJob - 1) / rowsJob * chunks)
	work := 2 * float64(n) * float64(weight.In()) * float64(weight.Out()) * float64(len(variants))
	d.do(kernels.Head, &args, jobs, portionOf(work/float64(jobs)))
	if d.err != nil {
		return
	}
	for v := range variants {
		for r := range n {
			of := func(v int) []kernels.HeadPart { return parts[(v*n+r)*chunks:][:chunks] }
			row := headRow(of(v))
			if v > 0 && h.Diverge {
				row.KL = headDivergence(of(0), of(v), row.LogSum)
			}
			h.Rows[v][first+r] = row
			for t := own[r]; t < own[r+1]; t++ {
				h.LogProbs[v][offsets[first]+t] = float64(logits[v*len(targets)+int(t)]) - row.LogSum
			}
		}
	}
}

// headRow merges the chunks of one row in the order of the vocabulary.
func headRow(parts []kernels.HeadPart) device.HeadRow {
	top, at, highest := math.Inf(-1), int32(0), math.Inf(-1)
	for _, p := range parts {
		if p.TopAt >= 0 && float64(p.Top) > top {
			top, at = float64(p.Top), p.TopAt
		}
		highest = max(highest, p.Max)
	}
	return device.HeadRow{LogSum: highest + math.Log(sumParts(parts, highest)), Top: at}
}

func sumParts(parts []kernels.HeadPart, highest float64) float64 {
	sum := 0.0
	for _, p := range parts {
		if p.Sum != 0 {
			sum += p.Sum * math.Exp(shiftOf(p.Max)-highest)
		}
	}
	return sum
}

// shiftOf is what the kernel took off its logits: their maximum, or nothing where all were −∞.
func shiftOf(highest float64) float64 {
	if math.IsInf(highest, -1) {
		return 0
	}
	return highest
}

// headDivergence is KL(p ‖ q) = Σ p·(l₀ − l) − log Σ exp(l₀) + log Σ exp(l) of variant 0's chunks and another's.
func headDivergence(base, parts []kernels.HeadPart, logSum float64) float64 {
	first := headRow(base)
	highest := math.Inf(-1)
	for _, p := range base {
		highest = max(highest, p.Max)
	}
	cross := 0.0
	for i, p := range parts {
		if p.Cross != 0 {
			cross += p.Cross * math.Exp(shiftOf(base[i].Max)-highest)
		}
	}
	return cross/sumParts(base, highest) - first.LogSum + logSum
}
