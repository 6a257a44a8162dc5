package devicetest

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

// Families of sequences that the kernels' tiles do and do not divide.
var (
	single    = []family{{1, nil}}
	mixed     = []family{{5, nil}, {0, nil}, {1, []int{1, 3}}, {17, []int{4, 1, 9}}, {64, nil}, {2, []int{0, 2}}, {33, []int{31}}}
	beyond    = []family{{301, []int{3, 220}}} // a prefix ends within a second tile of 256 keys
	long      = []family{{130, []int{5, 70}}, {257, nil}, {64, []int{64}}}
	even      = []family{{16, nil}, {32, nil}, {16, []int{16}}}
	alike     = []family{{12, []int{3, 3}}, {12, nil}, {12, []int{1}}}
	scattered = []family{{1, nil}, {2, nil}, {3, nil}, {1, nil}, {7, nil}, {1, []int{1}}, {100, nil}, {1, nil}}
)

func attentionCases() []testCase {
	var cases []testCase
	add := func(name string, of []family, amplitude float64, a device.Attention) {
		if a.Scale == 0 {
			a.Scale = float32(1 / math.Sqrt(float64(a.HeadDim)))
		}
		cases = append(cases, attentionCase(name, of, amplitude, a))
	}
	for _, s := range []struct{ heads, kvHeads, dim, valueDim int }{
		{1, 1, 4, 4}, {2, 1, 8, 8}, {4, 4, 16, 16}, {4, 2, 40, 40}, {3, 1, 64, 64}, {2, 2, 80, 80}, {2, 1, 96, 96}, {2, 1, 128, 128}, {1, 1, 256, 256},
		{2, 2, 24, 16}, {2, 2, 192, 128}, {1, 1, 7, 5}, {2, 1, 12, 33}, {32, 8, 4, 4}, {71, 1, 8, 8},
	} {
		a := device.Attention{Heads: s.heads, KVHeads: s.kvHeads, HeadDim: s.dim, ValueDim: s.valueDim, Causal: true}
		add("", mixed, 2, a)
		add("families=single/", single, 2, a)
		a.Causal = false
		add("everything/", alike, 2, a)
	}
	base := device.Attention{Heads: 4, KVHeads: 2, HeadDim: 16, ValueDim: 16, Causal: true}
	add("families=long/", long, 2, base)
	add("families=beyond/", beyond, 2, base)
	add("families=even/", even, 2, base)
	add("families=scattered/", scattered, 2, base)
	add("sharp/", mixed, 12, base)
	slopes := []float32{0.5, 0.25, 0.0625, 0.00390625}
	sinks := []float32{0.5, -3, 4, 0}
	for _, of := range []struct {
		name string
		of   []family
	}{{"mixed", mixed}, {"long", long}} {
		for name, set := range map[string]func(*device.Attention){
			"window=1":          func(a *device.Attention) { a.Window = 1 },
			"window=3":          func(a *device.Attention) { a.Window = 3 },
			"window=64":         func(a *device.Attention) { a.Window = 64 },
			"window=5/ahead":    func(a *device.Attention) { a.Window, a.Causal = 5, false },
			"chunk=1":           func(a *device.Attention) { a.Chunk = 1 },
			"chunk=4":           func(a *device.Attention) { a.Chunk = 4 },
			"chunk=50":          func(a *device.Attention) { a.Chunk = 50 },
			"chunk=20/window=7": func(a *device.Attention) { a.Chunk, a.Window = 20, 7 },
			"chunk=20/ahead":    func(a *device.Attention) { a.Chunk, a.Causal = 20, false },
			"cap=1.5":           func(a *device.Attention) { a.SoftCap = 1.5 },
			"slopes":            func(a *device.Attention) { a.Slopes = slopes },
			"slopes/ahead":      func(a *device.Attention) { a.Slopes, a.Causal = slopes, false },
			"sinks":             func(a *device.Attention) { a.Sinks = sinks },
			"sinks/window=6":    func(a *device.Attention) { a.Sinks, a.Window = sinks, 6 },
			"all": func(a *device.Attention) {
				a.Sinks, a.Slopes, a.SoftCap, a.Window, a.Chunk = sinks, slopes, 3, 40, 100
			},
			"scale=0.01": func(a *device.Attention) { a.Scale = 0.01 },
		} {
			a := base
			set(&a)
			add(fmt.Sprintf("%s/families=%s/", name, of.name), of.of, 3, a)
		}
	}
	for _, a := range []device.Attention{
		{Heads: 8, KVHeads: 8, HeadDim: 64, ValueDim: 64, Causal: true},
		{Heads: 8, KVHeads: 2, HeadDim: 128, ValueDim: 128, Causal: true},
	} {
		a.Scale = float32(1 / math.Sqrt(float64(a.HeadDim)))
		c := attentionCase("length=512/", []family{{512, nil}, {512, nil}}, 2, a)
		c.large = true
		cases = append(cases, c)
	}
	return cases
}

func attentionCase(name string, of []family, amplitude float64, a device.Attention) testCase {
	keys := within(amplitude)
	longest, pairs := 0, 0.0
	for _, f := range of {
		for _, n := range append([]int{0}, f.branches...) {
			longest = max(longest, f.root+n)
			pairs += float64(n) * (float64(f.root) + float64(n)/2)
		}
		pairs += float64(f.root) * float64(f.root) / 2
	}
	return testCase{
		operation: "Attention",
		name:      fmt.Sprintf("%sheads=%d/kv=%d/dim=%d/value=%d/causal=%t", name, a.Heads, a.KVHeads, a.HeadDim, a.ValueDim, a.Causal),
		units:     len(of),
		prefixes:  true,
		prepare: func(r *rig, units []int) step {
			p := pack(of, units, r.joined)
			q := r.tensor(keys.rows("q", p.rows, a.Heads*a.HeadDim), a.Heads*a.HeadDim)
			k := r.tensor(keys.rows("k", p.rows, a.KVHeads*a.HeadDim), a.KVHeads*a.HeadDim)
			v := r.tensor(uniform.rows("v", p.rows, a.KVHeads*a.ValueDim), a.KVHeads*a.ValueDim)
			dst := r.output(len(p.rows), a.Heads*a.ValueDim)
			return step{func() { r.device.Attention(dst, q, k, v, a, &p.layout) }, func() [][]float64 { return p.gather(r.lines(dst)) }}
		},
		tolerance: attentionTolerance(a, amplitude, longest),
		flops:     2 * pairs * float64(a.Heads) * float64(a.HeadDim+a.ValueDim),
	}
}

// A result is a mean of values within ±1. A score that is off by δ moves the weights by 2·δ of themselves at most, and with them
// the mean. δ is the dot product's error times Scale, where ‖q‖·‖k‖ is HeadDim·amplitude²/3 give or take a half, and the rounding
// of the score and of the slope's share. Weights and values of bf16 are off by 2⁻⁸, twice p.operand, of themselves at most, and
// move the mean by as much each; that a sum of weights not yet rounded divides it is part of this.
func attentionTolerance(a device.Attention, amplitude float64, longest int) func(precision, int, int, float64) float64 {
	return func(p precision, _, _ int, _ float64) float64 {
		size := 1.5 * float64(a.HeadDim) * amplitude * amplitude / 3
		delta := p.product(a.HeadDim, math.Sqrt(size), math.Sqrt(size)) * float64(a.Scale)
		delta += 4 * u * size * float64(a.Scale) / math.Sqrt(float64(a.HeadDim)) * 3
		if a.Slopes != nil {
			delta += 2 * u * 0.5 * float64(longest)
		}
		return 2*delta + sum(longest)*2 + 4*p.operand
	}
}

func convolveCases() []testCase {
	var cases []testCase
	for _, s := range []struct{ channels, width int }{{1, 1}, {3, 2}, {16, 3}, {33, 4}, {64, 4}, {100, 7}} {
		for _, of := range [][]family{mixed, even, single} {
			cases = append(cases, convolveCase(of, s.channels, s.width, false), convolveCase(of, s.channels, s.width, true))
		}
	}
	large := convolveCase([]family{{1024, nil}, {1024, nil}}, 512, 4, true)
	large.large = true
	return append(cases, large)
}

func convolveCase(of []family, channels, width int, biased bool) testCase {
	rows := 0
	for _, f := range of {
		rows += f.rows()
	}
	var bias []float32
	if biased {
		bias = uniform("bias", 0, channels)
	}
	return testCase{
		operation: "Convolve",
		name:      fmt.Sprintf("channels=%d/width=%d/rows=%d/bias=%t", channels, width, rows, biased),
		units:     len(of),
		prefixes:  true,
		prepare: func(r *rig, units []int) step {
			p := pack(of, units, r.joined)
			channel := make([]int, channels)
			for c := range channel {
				channel[c] = c
			}
			x, kernel := r.tensor(uniform.rows("x", p.rows, channels), channels), r.tensor(uniform.rows("kernel", channel, width), width)
			shift, dst := r.row(bias), r.output(len(p.rows), channels)
			return step{func() { r.device.Convolve(dst, x, kernel, shift, &p.layout) }, func() [][]float64 { return p.gather(r.lines(dst)) }}
		},
		// Values within ±1: width products and the bias.
		tolerance: func(precision, int, int, float64) float64 { return sum(width+1) * float64(width+1) },
		bytes:     8 * float64(rows) * float64(channels),
	}
}

func deltaRuleCases() []testCase {
	var cases []testCase
	for _, s := range []struct{ heads, keyHeads, keyDim, valueDim int }{{1, 1, 1, 1}, {2, 1, 4, 3}, {4, 2, 16, 16}, {2, 2, 33, 8}, {3, 1, 8, 65}, {2, 1, 128, 128}} {
		cases = append(cases, deltaRuleCase(mixed, s.heads, s.keyHeads, s.keyDim, s.valueDim), deltaRuleCase(single, s.heads, s.keyHeads, s.keyDim, s.valueDim))
	}
	cases = append(cases, deltaRuleCase(long, 2, 1, 16, 8))
	large := deltaRuleCase([]family{{256, nil}, {256, nil}}, 8, 4, 128, 128)
	large.large = true
	return append(cases, large)
}

func deltaRuleCase(of []family, heads, keyHeads, keyDim, valueDim int) testCase {
	rows, longest := 0, 0
	for _, f := range of {
		rows += f.rows()
		for _, n := range append([]int{0}, f.branches...) {
			longest = max(longest, f.root+n)
		}
	}
	unit, decay, strength := deltaFillings(keyDim)
	return testCase{
		operation: "DeltaRule",
		name:      fmt.Sprintf("heads=%d/keyheads=%d/key=%d/value=%d/rows=%d", heads, keyHeads, keyDim, valueDim, rows),
		units:     len(of),
		prefixes:  true,
		prepare: func(r *rig, units []int) step {
			p := pack(of, units, r.joined)
			tensor := func(name string, f filling, cols int) device.Tensor {
				return r.tensor(f.rows(name, p.rows, cols), cols)
			}
			rule := device.DeltaRule{
				Q: tensor("q", unit, keyHeads*keyDim), K: tensor("k", unit, keyHeads*keyDim), V: tensor("v", uniform, heads*valueDim),
				Gate: tensor("gate", decay, heads), Beta: tensor("beta", strength, heads),
				Heads: heads, KeyHeads: keyHeads, KeyDim: keyDim, ValueDim: valueDim,
			}
			dst := r.output(len(p.rows), heads*valueDim)
			return step{func() { r.device.DeltaRule(dst, rule, &p.layout) }, func() [][]float64 { return p.gather(r.lines(dst)) }}
		},
		tolerance: deltaTolerance(keyDim, longest),
		flops:     7 * float64(rows) * float64(heads) * float64(keyDim) * float64(valueDim),
	}
}

// deltaFillings are keys and queries, gates and β as models have them: keys of length one, decays from nothing to most, β within 0 and 1.
func deltaFillings(keyDim int) (unit, decay, strength filling) {
	unit = func(tensor string, row, cols int) []float32 {
		out := uniform(tensor, row, cols)
		for first := 0; first < cols; first += keyDim {
			n := length(out[first : first+keyDim])
			for j := first; j < first+keyDim; j++ {
				out[j] = float32(float64(out[j]) / n)
			}
		}
		return out
	}
	mapped := func(f func(v float64) float64) filling {
		return func(tensor string, row, cols int) []float32 {
			out := uniform(tensor, row, cols)
			for j, v := range out {
				out[j] = float32(f(float64(v)))
			}
			return out
		}
	}
	decay = mapped(func(v float64) float64 { return -3 * (1 + v) * (1 + v) * (1 + v) / 8 })
	strength = mapped(func(v float64) float64 { return (1 + v) / 2 })
	return unit, decay, strength
}

// With ‖k‖ = 1 and β ≤ 1 a step takes away from the state along k and adds v: an error made earlier does not grow. Each of the
// steps since adds its own, of a sum over the keys of a state whose columns are no longer than √steps, as the values are within ±1.
func deltaTolerance(keyDim, longest int) func(precision, int, int, float64) float64 {
	return func(p precision, _, _ int, _ float64) float64 {
		steps := math.Sqrt(float64(longest))
		return (sum(keyDim) + 8*p.operand/math.Sqrt(float64(keyDim))) * (2 + steps) * 2
	}
}
