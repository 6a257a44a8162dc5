package reference

import (
	"math"
	"testing"

	"avssnative/engine/device"
)

// With all scores equal, attention is the mean of the values seen: with value 2^j at position j, the masks can be read off the sums.
func TestReferenceAttentionMasks(t *testing.T) {
	d := openReference(t)
	const rows = 6
	zeros, value, dst := d.NewTensor(rows, 2), d.NewTensor(rows, 1), d.NewTensor(rows, 1)
	d.Upload(value, 0, []float32{1, 2, 4, 8, 16, 32})
	one := &device.Layout{Start: []int32{0, rows}}
	for _, c := range []struct {
		name string
		a    device.Attention
		l    *device.Layout
		want []float64
	}{
		{"everything", device.Attention{}, one, []float64{63. / 6, 63. / 6, 63. / 6, 63. / 6, 63. / 6, 63. / 6}},
		{"causal", device.Attention{Causal: true}, one, []float64{1, 3. / 2, 7. / 3, 15. / 4, 31. / 5, 63. / 6}},
		{"window", device.Attention{Causal: true, Window: 2}, one, []float64{1, 3. / 2, 6. / 2, 12. / 2, 24. / 2, 48. / 2}},
		{"window, not causal", device.Attention{Window: 1}, one, []float64{63. / 6, 62. / 5, 60. / 4, 56. / 3, 48. / 2, 32}},
		{"chunk", device.Attention{Causal: true, Chunk: 4}, one, []float64{1, 3. / 2, 7. / 3, 15. / 4, 16, 48. / 2}},
		{"two sequences", device.Attention{Causal: true}, &device.Layout{Start: []int32{0, 2, 2, 6}}, []float64{1, 3. / 2, 4, 12. / 2, 28. / 3, 60. / 4}},
		{"prefix", device.Attention{Causal: true}, &device.Layout{Start: []int32{0, 2, 4, 6}, Prefix: []int32{-1, 0, 0}},
			[]float64{1, 3. / 2, 7. / 3, 15. / 4, 19. / 3, 51. / 4}},
		{"prefix and window", device.Attention{Causal: true, Window: 2}, &device.Layout{Start: []int32{0, 2, 4, 6}, Prefix: []int32{-1, 0, 0}},
			[]float64{1, 3. / 2, 6. / 2, 12. / 2, 18. / 2, 48. / 2}},
		{"prefix and chunk", device.Attention{Causal: true, Chunk: 3}, &device.Layout{Start: []int32{0, 2, 4, 6}, Prefix: []int32{-1, 0, 0}},
			[]float64{1, 3. / 2, 7. / 3, 8, 19. / 3, 32}},
		{"prefix behind", device.Attention{Causal: true}, &device.Layout{Start: []int32{0, 2, 6}, Prefix: []int32{1, -1}},
			[]float64{61. / 5, 63. / 6, 4, 12. / 2, 28. / 3, 60. / 4}},
		{"prefix, not causal", device.Attention{}, &device.Layout{Start: []int32{0, 2, 6}, Prefix: []int32{-1, 0}},
			[]float64{3. / 2, 3. / 2, 63. / 6, 63. / 6, 63. / 6, 63. / 6}},
		// A sink of logit ln 2 beside scores of 0 counts as two more keys of value nothing.
		{"sink", device.Attention{Causal: true, Sinks: []float32{float32(math.Ln2)}}, one, []float64{1. / 3, 3. / 4, 7. / 5, 15. / 6, 31. / 7, 63. / 8}},
		// A slope of ln 2 halves the weight with every step back: Σ 2^j·2^(j−i) / Σ 2^(j−i).
		{"slope", device.Attention{Causal: true, Slopes: []float32{float32(math.Ln2)}}, one,
			[]float64{1, (2 + 0.5) / 1.5, (4 + 1 + 0.25) / 1.75, (8 + 2 + 0.5 + 0.125) / 1.875, 21.3125 / 1.9375, 42.65625 / 1.96875}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.a.Heads, c.a.KVHeads, c.a.HeadDim, c.a.ValueDim = 1, 1, 2, 1
			d.Attention(dst, zeros, zeros, value, c.a, c.l)
			expect(t, d, dst, c.want...)
		})
	}
}

// Two keys whose scores are known: the softmax by hand, heads and their keys told apart.
func TestReferenceAttentionScores(t *testing.T) {
	d := openReference(t)
	l := &device.Layout{Start: []int32{0, 2}}
	a := device.Attention{Heads: 4, KVHeads: 2, HeadDim: 1, ValueDim: 2, Scale: 0.5, Causal: true}
	q := put(d, []float32{0, 0, 0, 0}, []float32{1, 2, 3, 4})
	k := put(d, []float32{0, 0}, []float32{2, -2})
	v := put(d, []float32{1, 0, 10, 0}, []float32{0, 1, 0, 10})
	dst := d.NewTensor(2, 8)
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	second := func(s0, s1, s2, s3 float64) []float64 { // the second row, whose second key's scores are these, the first's being 0
		var out []float64
		for h, s := range []float64{s0, s1, s2, s3} {
			size := []float64{1, 1, 10, 10}[h]
			out = append(out, size*logistic(-s), size*logistic(s))
		}
		return out
	}
	first := []float64{1, 0, 1, 0, 10, 0, 10, 0}
	d.Attention(dst, q, k, v, a, l)
	expect(t, d, dst, append(first, second(1, 2, -3, -4)...)...)
	a.SoftCap = 2
	d.Attention(dst, q, k, v, a, l)
	expect(t, d, dst, append(first, second(2*math.Tanh(0.5), 2*math.Tanh(1), -2*math.Tanh(1.5), -2*math.Tanh(2))...)...)

	for name, wrong := range map[string]device.Attention{
		"4 heads with 3 key heads": {Heads: 4, KVHeads: 3, HeadDim: 1, ValueDim: 2},
		"want [any 8]":             {Heads: 4, KVHeads: 2, HeadDim: 2, ValueDim: 2},
		"want [2 6]":               {Heads: 4, KVHeads: 2, HeadDim: 1, ValueDim: 3},
		"1 slopes for 4 heads":     {Heads: 4, KVHeads: 2, HeadDim: 1, ValueDim: 2, Slopes: []float32{1}},
		"1 sinks for 4 heads":      {Heads: 4, KVHeads: 2, HeadDim: 1, ValueDim: 2, Sinks: []float32{1}},
		"window -1":                {Heads: 4, KVHeads: 2, HeadDim: 1, ValueDim: 2, Window: -1},
		"values of 0":              {Heads: 4, KVHeads: 2, HeadDim: 1},
	} {
		d.Attention(dst, q, k, v, wrong, l)
		refuses(t, d, "attention", name)
	}
}

func TestReferenceConvolve(t *testing.T) {
	d := openReference(t)
	x := put(d, []float32{1, 10}, []float32{2, 20}, []float32{3, 30}, []float32{4, 40}, []float32{5, 50})
	kernel := put(d, []float32{100, 10, 1}, []float32{0, 0, 1})
	dst := d.NewTensor(5, 2)
	d.Convolve(dst, x, kernel, put(d, []float32{0.5, 0}), &device.Layout{Start: []int32{0, 2, 4, 5}, Prefix: []int32{-1, 0, 0}})
	expect(t, d, dst, 1.5, 10, 12.5, 20, 123.5, 30, 234.5, 40, 125.5, 50)
	d.Convolve(dst, x, kernel, nil, &device.Layout{Start: []int32{0, 2, 5}})
	expect(t, d, dst, 1, 10, 12, 20, 3, 30, 34, 40, 345, 50)
	d.Convolve(dst, x, put(d, []float32{1}), nil, &device.Layout{Start: []int32{0, 5}})
	refuses(t, d, "convolve", "kernel", "want [2 any]")
}

// With keys that are unit vectors, the delta rule writes and overwrites slots of a memory.
func TestReferenceDeltaRule(t *testing.T) {
	d := openReference(t)
	ln2 := float32(math.Ln2)
	r := device.DeltaRule{
		Q: put(d, []float32{1, 0}, []float32{1, 1}, []float32{1, 2}, []float32{1, 2}),
		K: put(d, []float32{1, 0}, []float32{0, 1}, []float32{1, 0}, []float32{0, 1}),
		V: put(d, []float32{8, 80}, []float32{4, 40}, []float32{6, 60}, []float32{2, 20}),
		// Nothing decays, then the first head halves.
		Gate:  put(d, []float32{0, 0}, []float32{-ln2, 0}, []float32{0, 0}, []float32{0, 0}),
		Beta:  put(d, []float32{1, 1}, []float32{0.5, 1}, []float32{1, 0.5}, []float32{1, 1}),
		Heads: 2, KeyHeads: 1, KeyDim: 2, ValueDim: 1,
	}
	dst := d.NewTensor(4, 2)
	// Slots of head 0: {8 0}, {4 2}, {6 2}, {6 2}; of head 1: {80 0}, {80 40}, {70 40}, {70 20}.
	d.DeltaRule(dst, r, &device.Layout{Start: []int32{0, 4}})
	expect(t, d, dst, 8, 80, 6, 120, 10, 150, 10, 110)
	// The last two rows each continue the first two: {6 2}, {4 2}; {70 40}, {80 20}.
	d.DeltaRule(dst, r, &device.Layout{Start: []int32{0, 2, 3, 4}, Prefix: []int32{-1, 0, 0}})
	expect(t, d, dst, 8, 80, 6, 120, 10, 150, 8, 120)
	r.KeyDim = 3
	d.DeltaRule(dst, r, &device.Layout{Start: []int32{0, 4}})
	refuses(t, d, "delta rule", "q", "want [any 3]")
}
