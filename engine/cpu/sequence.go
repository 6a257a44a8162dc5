package cpu

import (
	"avssnative/engine/device"
	kernels "avssnative/kernels/cpu"
)

// The operations of device "cpu" that work along sequences.

// layout checks that a layout covers a tensor's rows.
func (d *processor) layout(operation string, l *device.Layout, rows int) bool {
	if l == nil || len(l.Start) == 0 || l.Start[0] != 0 || l.Rows() != rows || l.Prefix != nil && len(l.Prefix) != l.Sequences() {
		d.fail("%s: the layout does not cover %d rows", operation, rows)
		return false
	}
	for i := range l.Sequences() {
		if l.Start[i] > l.Start[i+1] || l.Prefix != nil && (l.Prefix[i] >= int32(l.Sequences()) || l.Prefix[i] == int32(i)) {
			d.fail("%s: the layout's sequence %d is none", operation, i)
			return false
		}
	}
	return true
}

func (d *processor) Attention(dst, q, k, v device.Tensor, a device.Attention, l *device.Layout) {
	d.attend(kernels.Attend, dst, q, k, v, a, l)
}

func (d *processor) AttentionFew(dst, q, k, v device.Tensor, a device.Attention, l *device.Layout) {
	d.attend(kernels.AttendFew, dst, q, k, v, a, l)
}

func (d *processor) attend(how kernels.Operation, dst, q, k, v device.Tensor, a device.Attention, l *device.Layout) {
	to, query, key, value := d.of("attention", dst), d.of("attention", q), d.of("attention", k), d.of("attention", v)
	if d.err != nil || !d.want(a.Heads > 0 && a.KVHeads > 0 && a.Heads%a.KVHeads == 0, "attention: %d heads with %d key heads", a.Heads, a.KVHeads) ||
		!d.want(a.HeadDim > 0 && a.ValueDim > 0 && a.Window >= 0 && a.Chunk >= 0 && a.SoftCap >= 0,
			"attention: heads of %d and %d, window %d, chunk %d, soft cap %g", a.HeadDim, a.ValueDim, a.Window, a.Chunk, a.SoftCap) ||
		!d.want(a.Slopes == nil || len(a.Slopes) == a.Heads, "attention: %d slopes for %d heads", len(a.Slopes), a.Heads) ||
		!d.want(a.Sinks == nil || len(a.Sinks) == a.Heads, "attention: %d sinks for %d heads", len(a.Sinks), a.Heads) {
		return
	}
	rows, cached := query.rows, query.rows
	if l != nil && l.Keys != nil {
		cached = key.rows
	}
	for _, s := range []struct {
		t          *tensor
		rows, cols int
	}{{query, rows, a.Heads * a.HeadDim}, {key, cached, a.KVHeads * a.HeadDim}, {value, cached, a.KVHeads * a.ValueDim}, {to, rows, a.Heads * a.ValueDim}} {
		if !d.want(s.t.rows == s.rows && s.t.cols == s.cols, "attention: [%d × %d], want [%d × %d]", s.t.rows, s.t.cols, s.rows, s.cols) {
			return
		}
	}
	if !d.layout("attention", l, rows) || rows == 0 {
		return
	}
	if l.Keys != nil {
		if err := l.CheckKeys(cached, a); err != nil {
			d.fail("attention: %v", err)
			return
		}
	}
	precision := int32(kernels.AsF32)
	if d.bf16 {
		precision = kernels.AsBF16
	}
	var jobs []int64
	work, longest := 0.0, 0
	for i := l.Sequences() - 1; i >= 0; i-- {
		longest = max(longest, int(l.Start[i+1]-l.Start[i]))
	}
	// Late blocks of long sequences see the most keys: they come first, so that the last jobs are short.
	block, together := attentionBlock(longest, l.Sequences()*a.KVHeads, d.threads, int(d.kernels.PanelRows(precision))), a.KVHeads
	if how == kernels.AttendFew {
		block, together = 1, a.Heads
	}
	for i := l.Sequences() - 1; i >= 0; i-- {
		first, end := l.PrefixOf(i)
		start, n, before := int(l.Start[i]), int(l.Start[i+1]-l.Start[i]), l.Before(i)
		keys := device.KeyRows{Prefix: int32(first), PrefixRows: int32(end - first), Own: int32(start), OwnRows: int32(n)}
		if l.Keys != nil {
			keys = l.Keys[i]
		}
		for row := (n - 1) / block * block; row >= 0 && n > 0; row -= block {
			count := min(block, n-row)
			// Positions that are gone are counted as rows before the prefix's, which nobody reads.
			jobs = append(jobs, int64(start+row), int64(count), int64(before+row), int64(keys.Own), int64(keys.OwnRows),
				int64(keys.Prefix-keys.First), int64(keys.First+keys.PrefixRows))
			seen := float64(before + n)
			if a.Causal {
				seen = float64(before+row) + float64(count)/2
			}
			work += 4 * float64(count) * seen * float64(a.HeadDim) * float64(a.Heads)
		}
	}
	blocks := int64(len(jobs) / 7)
	args := kernels.AttentionArguments{
		Dst: to.arguments(), Q: query.arguments(), K: key.arguments(), V: value.arguments(), Jobs: pinned(&d.pins, jobs),
		Slopes: pinned(&d.pins, a.Slopes), Sinks: pinned(&d.pins, a.Sinks), Heads: int64(a.Heads), KVHeads: int64(a.KVHeads),
		HeadDim: int64(a.HeadDim), ValueDim: int64(a.ValueDim), Window: int64(a.Window), Chunk: int64(a.Chunk), Scale: a.Scale, SoftCap: a.SoftCap,
	}
	if a.Causal {
		args.Causal = 1
	}
	if d.bf16 {
		args.BF16 = 1
	}
	count := blocks * int64(together)
	perJob := 2 * work / float64(count)
	if how == kernels.AttendFew {
		perJob *= 4 * portionFlops / fewPortion // it reads memory
	}
	d.do(how, &args, count, portionOf(perJob))
}

// attentionBlock is how many query rows make a job: whole micro-tiles, some 84 rows or several times as many, fewer where there are not enough jobs
// for the threads. It does not change results: key tiles are counted from the start of the sequence.
func attentionBlock(longest, heads, threads, tile int) int {
	least := (84 + tile - 1) / tile * tile
	block := kernels.QueryRows / least * least
	for block > least && (longest+block-1)/block*heads < 3*threads {
		block -= least
	}
	return block
}

func (d *processor) Convolve(dst, x, kernel, bias device.Tensor, l *device.Layout) {
	to, from, taps, shift := d.of("convolve", dst), d.of("convolve", x), d.of("convolve", kernel), d.of("convolve", bias)
	if d.err != nil || !d.same("convolve", from, to) && d.err != nil ||
		!d.want(taps.rows == from.cols, "convolve: %d kernels for %d channels", taps.rows, from.cols) ||
		!d.want(shift == nil || shift.rows == 1 && shift.cols == from.cols, "convolve: bias for %d channels", from.cols) ||
		!d.layout("convolve", l, from.rows) || from.rows == 0 || from.cols == 0 {
		return
	}
	start, before := make([]int32, from.rows), make([]int32, from.rows)
	for i := range l.Sequences() {
		_, end := l.PrefixOf(i)
		for row := l.Start[i]; row < l.Start[i+1]; row++ {
			start[row], before[row] = l.Start[i], int32(end)
		}
	}
	args := kernels.ConvolveArguments{
		Dst: to.arguments(), X: from.arguments(), Kernel: taps.arguments(), Bias: shift.vector(),
		Position: pinned(&d.pins, l.Positions()), Start: pinned(&d.pins, start), Before: pinned(&d.pins, before),
	}
	d.do(kernels.Convolve, &args, int64(from.rows), rowPortion(from.cols*taps.cols, 60))
}

func (d *processor) DeltaRule(dst device.Tensor, r device.DeltaRule, l *device.Layout) {
	to, q, k, v := d.of("delta rule", dst), d.of("delta rule", r.Q), d.of("delta rule", r.K), d.of("delta rule", r.V)
	gate, beta := d.of("delta rule", r.Gate), d.of("delta rule", r.Beta)
	if d.err != nil || !d.want(r.Heads > 0 && r.KeyHeads > 0 && r.Heads%r.KeyHeads == 0 && r.KeyDim > 0 && r.ValueDim > 0,
		"delta rule: %d heads of %d with %d key heads of %d", r.Heads, r.ValueDim, r.KeyHeads, r.KeyDim) {
		return
	}
	for _, s := range []struct {
		t    *tensor
		cols int
	}{{q, r.KeyHeads * r.KeyDim}, {k, r.KeyHeads * r.KeyDim}, {v, r.Heads * r.ValueDim}, {gate, r.Heads}, {beta, r.Heads}, {to, r.Heads * r.ValueDim}} {
		if !d.want(s.t.rows == q.rows && s.t.cols == s.cols, "delta rule: [%d × %d], want [%d × %d]", s.t.rows, s.t.cols, q.rows, s.cols) {
			return
		}
	}
	if !d.layout("delta rule", l, q.rows) {
		return
	}
	kept := d.of("delta rule", r.State)
	if d.err != nil || !d.want(kept == nil || l.Prefix == nil && kept.rows == l.Sequences() && kept.cols == r.Heads*r.KeyDim*r.ValueDim,
		"delta rule: a state for %d sequences of %d heads of %d × %d", l.Sequences(), r.Heads, r.KeyDim, r.ValueDim) || q.rows == 0 {
		return
	}
	sequences := make([]int64, 0, 4*l.Sequences())
	for i := range l.Sequences() {
		first, end := l.PrefixOf(i)
		sequences = append(sequences, int64(l.Start[i]), int64(l.Start[i+1]), int64(first), int64(end))
	}
	args := kernels.DeltaArguments{
		Dst: to.arguments(), Q: q.arguments(), K: k.arguments(), V: v.arguments(), Gate: gate.arguments(), Beta: beta.arguments(),
		Kept: kept.arguments(), Sequences: pinned(&d.pins, sequences), Heads: int64(r.Heads), KeyHeads: int64(r.KeyHeads), KeyDim: int64(r.KeyDim), ValueDim: int64(r.ValueDim),
	}
	jobs := int64(l.Sequences() * r.Heads)
	work := 30 * float64(q.rows) / float64(l.Sequences()) * float64(r.KeyDim*r.ValueDim)
	d.do(kernels.Delta, &args, jobs, portionOf(work))
}
