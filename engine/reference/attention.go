package reference

import (
	"math"

	"avssnative/engine/device"
)

// Device "reference": rotary positions and attention.

func (d *plain) Rope(x device.Tensor, r device.Rope, positions []int32) {
	c := d.check("rope")
	to := c.tensor("x", x, anyExtent, anyExtent)
	pairs := len(r.Frequencies)
	c.want(r.HeadDim > 0 && to.cols%max(r.HeadDim, 1) == 0, "heads of %d columns in rows of %d", r.HeadDim, to.cols)
	c.want(r.Offset >= 0 && r.Offset+2*pairs <= r.HeadDim, "%d pairs from column %d on in heads of %d", pairs, r.Offset, r.HeadDim)
	c.want(len(positions) == to.rows, "%d positions, want %d", len(positions), to.rows)
	if c.failed() {
		return
	}
	scale := float64(r.Scale)
	if scale == 0 {
		scale = 1
	}
	d.each(to.rows, func(i int) {
		for head := 0; head < to.cols; head += r.HeadDim {
			values := to.line(i)[head+r.Offset:]
			for p, frequency := range r.Frequencies {
				first, second := p, p+pairs
				if r.Interleaved {
					first, second = 2*p, 2*p+1
				}
				sin, cos := math.Sincos(float64(positions[i]) * frequency)
				a, b := values[first], values[second]
				values[first], values[second] = scale*(a*cos-b*sin), scale*(a*sin+b*cos)
			}
		}
	})
}

func (d *plain) Attention(dst, q, k, v device.Tensor, a device.Attention, l *device.Layout) {
	c := d.check("attention")
	c.want(a.Heads > 0 && a.KVHeads > 0 && a.Heads%max(a.KVHeads, 1) == 0, "%d heads with %d key heads", a.Heads, a.KVHeads)
	c.want(a.HeadDim > 0 && a.ValueDim > 0, "heads of %d, values of %d", a.HeadDim, a.ValueDim)
	c.want(a.Window >= 0 && a.Chunk >= 0 && a.SoftCap >= 0, "window %d, chunk %d, soft cap %g", a.Window, a.Chunk, a.SoftCap)
	c.want(a.Slopes == nil || len(a.Slopes) == a.Heads, "%d slopes for %d heads", len(a.Slopes), a.Heads)
	c.want(a.Sinks == nil || len(a.Sinks) == a.Heads, "%d sinks for %d heads", len(a.Sinks), a.Heads)
	query := c.tensor("q", q, anyExtent, a.Heads*a.HeadDim)
	cached := query.rows
	if l != nil && l.Keys != nil {
		cached = anyExtent
	}
	key := c.tensor("k", k, cached, a.KVHeads*a.HeadDim)
	value := c.tensor("v", v, key.rows, a.KVHeads*a.ValueDim)
	to := c.tensor("dst", dst, query.rows, a.Heads*a.ValueDim)
	c.apart(to, query, key, value)
	c.layout(l, query.rows)
	if !c.failed() && l.Keys != nil {
		if err := l.CheckKeys(key.rows, a); err != nil {
			c.fail("%v", err)
		}
	}
	if c.failed() {
		return
	}
	for sequence := range l.Sequences() {
		rows := history(l, sequence)
		first, own := int(l.Start[sequence]), int(l.Start[sequence+1]-l.Start[sequence])
		before := len(rows) - own
		d.each(own, func(i int) {
			for head := range a.Heads {
				out := to.line(first + i)[head*a.ValueDim:][:a.ValueDim]
				attend(a, out, query.line(first+i), key, value, rows, before+i, head)
			}
		})
	}
}

// history lists the rows that a sequence's positions stand for, in a cache where there is one: none for those that are gone, its prefix's, then
// its own.
func history(l *device.Layout, sequence int) []int {
	var rows []int
	if l.Keys != nil {
		k := l.Keys[sequence]
		for range k.First {
			rows = append(rows, -1)
		}
		for i := range k.PrefixRows {
			rows = append(rows, int(k.Prefix+i))
		}
		for i := range k.OwnRows {
			rows = append(rows, int(k.Own+i))
		}
		return rows
	}
	first, end := l.PrefixOf(sequence)
	for row := first; row < end; row++ {
		rows = append(rows, row)
	}
	for row := l.Start[sequence]; row < l.Start[sequence+1]; row++ {
		rows = append(rows, int(row))
	}
	return rows
}

// attend computes one head of one row: the softmax over the keys it sees, then the mean of their values under it.
func attend(a device.Attention, out, query []float64, key, value *tensor, rows []int, i, head int) {
	kvHead := head / (a.Heads / a.KVHeads)
	q := query[head*a.HeadDim:][:a.HeadDim]
	scores := make([]float64, len(rows))
	most := math.Inf(-1)
	if a.Sinks != nil {
		most = float64(a.Sinks[head])
	}
	for j, row := range rows {
		if sees(a, i, j) {
			scores[j] = score(a, dot(q, key.line(row)[kvHead*a.HeadDim:][:a.HeadDim]), i, j, head)
			most = math.Max(most, scores[j])
		}
	}
	sum := 0.0
	if a.Sinks != nil {
		sum = math.Exp(float64(a.Sinks[head]) - most)
	}
	clear(out)
	for j, row := range rows {
		if !sees(a, i, j) {
			continue
		}
		weight := math.Exp(scores[j] - most)
		sum += weight
		for e, v := range value.line(row)[kvHead*a.ValueDim:][:a.ValueDim] {
			out[e] += weight * v
		}
	}
	for e := range out {
		out[e] /= sum
	}
}

// sees says whether the key at position j is seen from position i.
func sees(a device.Attention, i, j int) bool {
	return (!a.Causal || j <= i) &&
		(a.Window == 0 || i-j < a.Window) &&
		(a.Chunk == 0 || i/a.Chunk == j/a.Chunk)
}

func score(a device.Attention, product float64, i, j, head int) float64 {
	score := product * float64(a.Scale)
	if a.SoftCap > 0 {
		score = float64(a.SoftCap) * math.Tanh(score/float64(a.SoftCap))
	}
	if a.Slopes != nil {
		score += float64(a.Slopes[head]) * float64(j-i)
	}
	return score
}
