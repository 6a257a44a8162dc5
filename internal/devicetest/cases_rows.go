package devicetest

import (
	"fmt"
	"math"

	"avssnative/engine/device"
)

func abs(x float64) float64 { return math.Abs(x) }

func normCases() []testCase {
	var cases []testCase
	kinds := []device.NormKind{device.NormRMS, device.NormLayer, device.NormL2}
	for _, kind := range kinds {
		for _, cols := range []int{1, 2, 7, 16, 64, 100, 768, 1031} {
			cases = append(cases, normCase("", uniform, cols, device.Norm{Kind: kind, Eps: 1e-5}, cols, 0))
			cases = append(cases, normCase("bias/", uniform, cols, device.Norm{Kind: kind, Eps: 1e-5, Offset: 1}, cols, cols))
		}
		for name, x := range map[string]filling{"aloft": aloft, "tiny": tiny, "broken": broken, "zeroed": zeroed(uniform), "extreme": extreme} {
			cases = append(cases, normCase("x="+name+"/", x, 96, device.Norm{Kind: kind, Eps: 1e-6}, 96, 0))
		}
		for _, s := range []struct{ heads, dim int }{{2, 4}, {3, 64}, {8, 40}, {5, 7}, {1, 12}} {
			n := device.Norm{Kind: kind, Eps: 1e-2, Groups: s.heads}
			cases = append(cases,
				normCase("shared/", uniform, s.heads*s.dim, n, s.dim, 0),
				normCase("bias/", uniform, s.heads*s.dim, n, s.heads*s.dim, s.dim),
				normCase("bare/", uniform, s.heads*s.dim, n, 0, s.heads*s.dim))
		}
		large := normCase("", uniform, 1024, device.Norm{Kind: kind, Eps: 1e-5}, 1024, 0)
		large.units, large.large, large.bytes, large.name = 2048, true, 8*2048*1024, large.name+"/rows=2048"
		cases = append(cases, large)
	}
	return cases
}

func normCase(name string, x filling, cols int, n device.Norm, weights, biases int) testCase {
	const rows = 13
	var scale, shift []float32
	if weights > 0 {
		scale = uniform("norm weight", 0, weights)
	}
	if biases > 0 {
		shift = uniform("norm bias", 0, biases)
	}
	size := cols / max(n.Groups, 1)
	line := perUnit(func(unit int) []float32 { return x("x", unit, cols) })
	return testCase{
		operation: "Norm",
		name:      fmt.Sprintf("%skind=%d/cols=%d/groups=%d/weights=%d", name, n.Kind, cols, max(n.Groups, 1), weights),
		units:     rows,
		inPlace:   true,
		prepare: func(r *rig, units []int) step {
			from := r.tensor(x.rows("x", units, cols), cols)
			dst := r.result(from, len(units), cols)
			n := n
			n.Weight, n.Bias = r.row(scale), r.row(shift)
			return step{func() { r.device.Norm(dst, from, n) }, func() [][]float64 { return r.lines(dst) }}
		},
		// The mean is a sum, and taking it off a value rounds what is left by as much as the value is large; the divisor, a sum of squares,
		// carries twice the error of that into the quotient.
		tolerance: func(_ precision, unit, j int, want float64) float64 {
			group := line(unit)[j/size*size:][:size]
			mean, squares := 0.0, 0.0
			if n.Kind == device.NormLayer {
				for _, v := range group {
					mean += float64(v) / float64(size)
				}
			}
			for _, v := range group {
				squares += (float64(v) - mean) * (float64(v) - mean)
			}
			if n.Kind != device.NormL2 {
				squares /= float64(size)
			}
			divisor := math.Sqrt(squares + float64(n.Eps))
			factor, sumOf := 1.0, 0.0
			if scale != nil {
				factor = abs(float64(scale[j%weights]) + float64(n.Offset))
			}
			if shift != nil {
				sumOf = abs(float64(shift[j%biases]))
			}
			lost := abs(mean) / divisor // how far the mean outweighs the spread
			value := abs(float64(group[j%size])-mean) / divisor
			return sum(size)*factor*(value*(1+2*lost*sum(size)*math.Sqrt(float64(size)))+lost) + 2*u*(sumOf+factor*value) + least*factor
		},
		bytes: 8 * rows * float64(cols),
	}
}

func arithmeticCases() []testCase {
	var cases []testCase
	for _, cols := range []int{1, 5, 16, 67, 256, 1030} {
		for name, x := range map[string]filling{"uniform": uniform, "extreme": extreme, "tiny": tiny, "broken": broken} {
			cases = append(cases, addCase(name, x, 11, cols, 1), addCase(name, x, 11, cols, -0.3),
				scaleCase(name, x, 11, cols, false), scaleCase(name, x, 11, cols, true), clampCase(name, x, 11, cols))
		}
	}
	add, scale := addCase("uniform", uniform, 2048, 1024, 1), scaleCase("uniform", uniform, 2048, 1024, true)
	add.large, scale.large = true, true
	return append(cases, add, scale)
}

func addCase(name string, x filling, rows, cols int, scale float32) testCase {
	return testCase{
		operation: "Add",
		name:      fmt.Sprintf("x=%s/rows=%d/cols=%d/scale=%g", name, rows, cols, scale),
		units:     rows,
		inPlace:   true,
		prepare: func(r *rig, units []int) step {
			a, b := r.tensor(x.rows("a", units, cols), cols), r.tensor(uniform.rows("b", units, cols), cols)
			dst := r.result(a, len(units), cols)
			return step{func() { r.device.Add(dst, a, b, scale) }, func() [][]float64 { return r.lines(dst) }}
		},
		// |b| ≤ 1: its product and the sum round once each.
		tolerance: func(_ precision, _, _ int, want float64) float64 {
			return u*(2*abs(want)+2*abs(float64(scale))) + least
		},
		bytes: 12 * float64(rows) * float64(cols),
	}
}

func scaleCase(name string, x filling, rows, cols int, each bool) testCase {
	return testCase{
		operation: "Scale",
		name:      fmt.Sprintf("x=%s/rows=%d/cols=%d/each=%t", name, rows, cols, each),
		units:     rows,
		prepare: func(r *rig, units []int) step {
			t := r.tensor(x.rows("x", units, cols), cols)
			var factors []float32
			if each {
				for _, unit := range units {
					factors = append(factors, uniform("factors", unit, 1)[0])
				}
				if factors == nil {
					factors = []float32{}
				}
			}
			return step{func() { r.device.Scale(t, 1.7, factors) }, func() [][]float64 { return r.lines(t) }}
		},
		tolerance: func(_ precision, _, _ int, want float64) float64 { return 3*u*abs(want) + 2*least },
		bytes:     8 * float64(rows) * float64(cols),
	}
}

func clampCase(name string, x filling, rows, cols int) testCase {
	return testCase{
		operation: "Clamp",
		name:      fmt.Sprintf("x=%s/rows=%d/cols=%d", name, rows, cols),
		units:     rows,
		prepare: func(r *rig, units []int) step {
			t := r.tensor(x.rows("x", units, cols), cols)
			return step{func() { r.device.Clamp(t, 0.25) }, func() [][]float64 { return r.lines(t) }}
		},
		tolerance: func(_ precision, _, _ int, want float64) float64 {
			if abs(want) < 0x1p-120 {
				return least
			}
			return 0
		},
	}
}

func activationCases() []testCase {
	var cases []testCase
	for kind := device.Identity; kind <= device.SwiGLUClamped; kind++ {
		a := device.Activation{Kind: kind}
		switch kind {
		case device.XIELU:
			a.AlphaP, a.AlphaN, a.Beta, a.Eps = 0.8, 0.6, 0.5, -1e-6
			cases = append(cases, activationCase("eps=-0.5/", within(3), 40, device.Activation{Kind: kind, AlphaP: 1.5, AlphaN: 2, Beta: 0.25, Eps: -0.5}, 0))
		case device.SwiGLUClamped:
			a.Alpha, a.Limit = 1.702, 2.5
		}
		ways := []int{alone, gated, interleaved}
		if kind == device.SwiGLUClamped {
			ways = ways[1:]
		}
		for _, way := range ways {
			for _, cols := range []int{1, 6, 33, 300} {
				cases = append(cases, activationCase("", within(8), cols, a, way))
			}
			cases = append(cases, activationCase("x=far/", within(90), 64, a, way), activationCase("x=tiny/", tiny, 64, a, way))
		}
		cases = append(cases, activationCase("x=near/", within(1e-3), 64, a, gated))
		large := activationCase("", within(8), 1024, a, gated)
		large.units, large.large, large.bytes, large.name = 2048, true, 12*2048*1024, large.name+"/rows=2048"
		cases = append(cases, large)
	}
	return cases
}

// How an activation gets its two halves.
const (
	alone = iota
	gated
	interleaved
)

func activationCase(name string, x filling, cols int, a device.Activation, way int) testCase {
	const rows = 9
	a.Interleaved = way == interleaved
	width := cols
	if a.Interleaved {
		width = 2 * cols
	}
	ups := within(3)
	gates := perUnit(func(unit int) []float32 { return x("gate", unit, width) })
	upper := perUnit(func(unit int) []float32 { return ups("up", unit, cols) })
	return testCase{
		operation: "Activate",
		name:      fmt.Sprintf("%skind=%d/cols=%d/way=%s", name, a.Kind, cols, [...]string{"alone", "gated", "interleaved"}[way]),
		units:     rows,
		inPlace:   !a.Interleaved,
		prepare: func(r *rig, units []int) step {
			gate := r.tensor(x.rows("gate", units, width), width)
			var up device.Tensor
			if way == gated {
				up = r.tensor(ups.rows("up", units, cols), cols)
			}
			dst := r.result(gate, len(units), cols)
			return step{func() { r.device.Activate(dst, gate, up, a) }, func() [][]float64 { return r.lines(dst) }}
		},
		// A function of exp good to two units in the last place, and a handful of roundings: 12·u of the result. Where a function nears
		// zero as the difference of two numbers of the gate's size (GELU's tail, XIELU), 6·u of those. Where exp's argument was a product, its
		// rounding moves the result by u for every unit of the argument.
		tolerance: func(_ precision, unit, j int, want float64) float64 {
			row := gates(unit)
			g, up := float64(row[j%width]), 1.0
			switch way {
			case gated:
				up = float64(upper(unit)[j])
			case interleaved:
				g, up = float64(row[2*j]), float64(row[2*j+1])
			}
			scale, roundings := abs(g), 12.0
			switch a.Kind {
			case device.Identity, device.ReLU, device.ReLUSquared, device.SiLU, device.Sigmoid:
				scale = 0
			case device.GELUQuick:
				scale, roundings = 0, roundings+1.702*abs(g)
			case device.SwiGLUClamped:
				roundings += float64(a.Alpha) * abs(g)
				scale, up = min(scale, float64(a.Limit)), 1+min(abs(up), float64(a.Limit))
			case device.Tanh:
				scale = min(scale, 1)
			case device.XIELU:
				scale *= float64(1 + a.AlphaN + a.Beta)
				if g < 0 {
					scale += float64(a.AlphaN) * min(1, abs(min(g, float64(a.Eps)))) // exp − 1
				}
			}
			// A gate of −90 makes σ of 1e-39: below the least normal number, times the gate.
			return roundings*u*abs(want) + 6*u*scale*abs(up) + 128*least*(1+abs(up))
		},
	}
}

func ropeCases() []testCase {
	var cases []testCase
	for _, s := range []struct{ heads, dim, offset, pairs int }{
		{1, 2, 0, 1}, {2, 8, 0, 4}, {3, 64, 0, 32}, {2, 80, 0, 16}, {4, 40, 24, 8}, {2, 128, 0, 64}, {1, 256, 0, 128}, {3, 7, 1, 3}, {2, 4, 0, 0},
	} {
		for _, neighbours := range []bool{false, true} {
			for _, scale := range []float32{0, 1.25} {
				cases = append(cases, ropeCase(23, s.heads, s.dim, s.offset, s.pairs, neighbours, scale))
			}
		}
	}
	large := ropeCase(2048, 16, 64, 0, 32, false, 0)
	large.large = true
	return append(cases, large)
}

func ropeCase(rows, heads, dim, offset, pairs int, neighbours bool, scale float32) testCase {
	rope := device.Rope{HeadDim: dim, Offset: offset, Interleaved: neighbours, Scale: scale, Frequencies: []float64{}}
	for i := range pairs {
		rope.Frequencies = append(rope.Frequencies, math.Pow(10000, -float64(i)/float64(pairs)))
	}
	cols := heads * dim
	return testCase{
		operation: "Rope",
		name:      fmt.Sprintf("rows=%d/heads=%d/dim=%d/offset=%d/pairs=%d/neighbours=%t/scale=%g", rows, heads, dim, offset, pairs, neighbours, scale),
		units:     rows,
		prepare: func(r *rig, units []int) step {
			positions := make([]int32, len(units))
			for i, unit := range units {
				positions[i] = int32(unit * unit * unit * 11 % 131072) // from the first to far beyond what float32 angles bear
			}
			x := r.tensor(uniform.rows("x", units, cols), cols)
			return step{func() { r.device.Rope(x, rope, positions) }, func() [][]float64 { return r.lines(x) }}
		},
		// Two products of values within ±1 and a rounded sine: the angle itself must be right to float64.
		tolerance: func(_ precision, _, j int, _ float64) float64 {
			if at := j%dim - offset; at < 0 || at >= 2*pairs {
				return 0
			}
			return 8 * u * max(1, float64(scale))
		},
		bytes: 8 * float64(rows) * float64(cols),
	}
}
