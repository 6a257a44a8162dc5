package devicetest

import (
	"fmt"

	"avssnative/engine/device"
)

func productCases() []testCase {
	var cases []testCase
	add := func(name string, rows int, x filling, w device.Weight, bias bool) {
		cases = append(cases, productCase("Product", name, rows, x, w, bias))
	}
	for _, s := range []struct{ rows, in, out int }{
		{1, 1, 1}, {1, 64, 64}, {2, 3, 5}, {6, 16, 16}, {7, 8, 33}, {13, 31, 17}, {14, 64, 96}, {15, 65, 31}, {32, 128, 64},
		{33, 257, 65}, {70, 100, 130}, {5, 513, 40}, {3, 4096, 35}, {1, 1000, 515}, {129, 40, 9},
	} {
		add("", s.rows, uniform, weight(device.F32, uniform, s.out, s.in, 0), s.out%2 == 1)
	}
	for name, x := range map[string]filling{"aloft": aloft, "tiny": tiny, "broken": broken, "zeroed": zeroed(uniform)} {
		add("x="+name+"/", 9, x, weight(device.F32, uniform, 37, 50, 0), true)
	}
	add("weights=broken/", 9, uniform, weight(device.F32, broken, 37, 50, 0), false)
	for _, t := range []device.DType{device.F32, device.F16, device.BF16, device.F64} {
		for _, s := range []struct{ rows, in, out int }{{1, 64, 48}, {19, 130, 67}, {40, 515, 16}} {
			add("", s.rows, uniform, weight(t, uniform, s.out, s.in, 0), false)
			add("gap=7/", s.rows, uniform, weight(t, uniform, s.out, s.in, 7), true)
		}
		rows := weight(t, uniform, 40, 33, 3)
		rows.Out, rows.Segments = 21, []device.Segment{{At: 20, Count: 12}, {At: 3, Count: 8}, {At: 39, Count: 1}}
		add("segments=3/", 17, uniform, rows, true)
		across := weight(t, uniform, 33, 70, 2) // 33 stored rows are the inputs
		across.Out, across.In, across.Transposed = 70, 33, true
		add("transposed/", 17, uniform, across, true)
		across.Out, across.Segments = 40, []device.Segment{{At: 35, Count: 35}, {At: 0, Count: 5}}
		add("transposed/segments=2/", 17, uniform, across, false)
	}
	for t := range blockScales {
		add("", 1, uniform, blockWeight(t, 20, 256), false)
		add("", 21, uniform, blockWeight(t, 35, 768), true)
		parts := blockWeight(t, 35, 256)
		parts.Out, parts.Segments = 12, []device.Segment{{At: 30, Count: 5}, {At: 1, Count: 7}}
		add("segments=2/", 5, uniform, parts, false)
	}
	for _, t := range []device.DType{device.F32, device.BF16, device.Q8_0} {
		for _, s := range []struct{ rows, in, out int }{{1, 1024, 1024}, {512, 1024, 1024}} {
			w := blockWeight(device.Q8_0, s.out, s.in)
			if t != device.Q8_0 {
				w = weight(t, uniform, s.out, s.in, 0)
			}
			c := productCase("Product", "", s.rows, uniform, w, false)
			c.large = true
			cases = append(cases, c)
		}
	}
	return cases
}

// productCase is a product of one operation: Product, or ProductFew where the device has it.
func productCase(operation, name string, rows int, x filling, w device.Weight, biased bool) testCase {
	var bias []float32
	if biased {
		bias = uniform("bias", 0, w.Out)
	}
	lengths := perUnit(func(o int) float64 {
		row := make([]float64, w.In)
		if err := w.Float64s(row, o); err != nil {
			panic(err) // the table itself is wrong
		}
		return length(row)
	})
	size := perUnit(func(unit int) float64 { return length(x("x", unit, w.In)) })
	return testCase{
		operation: operation,
		name:      fmt.Sprintf("%sweights=%s/rows=%d/in=%d/out=%d", name, w.Type, rows, w.In, w.Out),
		units:     rows,
		prepare: func(r *rig, units []int) step {
			from, dst := r.tensor(x.rows("x", units, w.In), w.In), r.output(len(units), w.Out)
			m, shift := r.matrix(w), r.row(bias)
			multiply := r.device.Product
			if few, able := r.device.(device.FewRows); able && operation == "ProductFew" {
				multiply = few.ProductFew
			}
			return step{func() { multiply(dst, from, m, shift) }, func() [][]float64 { return r.lines(dst) }}
		},
		tolerance: func(p precision, unit, j int, want float64) float64 {
			return p.product(w.In, size(unit), lengths(j)) + 2*u
		},
		flops: 2 * float64(rows) * float64(w.In) * float64(w.Out),
		bytes: float64(len(w.Data)),
	}
}

// Rows that come alone, in full groups of any width of vectors, and some more; every type, whole rows and some that no vector divides.
func fewProductCases() []testCase {
	var cases []testCase
	add := func(name string, rows int, x filling, w device.Weight, bias bool) {
		cases = append(cases, productCase("ProductFew", name, rows, x, w, bias))
	}
	for _, rows := range []int{1, 2, 3, 5, 8, 9, 16, 17} {
		for _, s := range []struct{ in, out int }{{1, 1}, {31, 5}, {64, 33}, {257, 65}} {
			add("", rows, uniform, weight(device.F32, uniform, s.out, s.in, 0), s.out%2 == 1)
		}
	}
	for name, x := range map[string]filling{"aloft": aloft, "tiny": tiny, "broken": broken, "zeroed": zeroed(uniform)} {
		add("x="+name+"/", 9, x, weight(device.F32, uniform, 37, 50, 0), true)
	}
	add("weights=broken/", 9, uniform, weight(device.F32, broken, 37, 50, 0), false)
	for _, t := range []device.DType{device.F32, device.F16, device.BF16, device.F64} {
		add("gap=7/", 6, uniform, weight(t, uniform, 67, 530, 7), true)
		rows := weight(t, uniform, 40, 33, 3)
		rows.Out, rows.Segments = 21, []device.Segment{{At: 20, Count: 12}, {At: 3, Count: 8}, {At: 39, Count: 1}}
		add("segments=3/", 7, uniform, rows, true)
		across := weight(t, uniform, 33, 70, 2)
		across.Out, across.In, across.Transposed = 70, 33, true
		add("transposed/", 5, uniform, across, true)
	}
	for t := range blockScales {
		add("", 1, uniform, blockWeight(t, 20, 256), false)
		add("", 11, uniform, blockWeight(t, 35, 768), true)
		parts := blockWeight(t, 35, 256)
		parts.Out, parts.Segments = 12, []device.Segment{{At: 30, Count: 5}, {At: 1, Count: 7}}
		add("segments=2/", 5, uniform, parts, false)
	}
	for _, t := range []device.DType{device.F32, device.BF16, device.Q4_1, device.Q8_0, device.Q4_K} {
		for _, rows := range []int{1, 4, 16} {
			var w device.Weight
			if values, _, _ := t.Block(); values > 1 {
				w = blockWeight(t, 4096, 2048)
			} else {
				w = weight(t, uniform, 4096, 2048, 0)
			}
			c := productCase("ProductFew", "", rows, uniform, w, false)
			c.large, c.flops = true, 0
			cases = append(cases, c)
		}
	}
	return cases
}

func embedCases() []testCase {
	var cases []testCase
	for t := range blockScales {
		cases = append(cases, embedCase(50, blockWeight(t, 9, 512), 2))
	}
	for _, t := range []device.DType{device.F32, device.F16, device.BF16, device.F64} {
		for _, hidden := range []int{1, 7, 64, 515} {
			cases = append(cases, embedCase(33, weight(t, uniform, 11, hidden, 0), 1), embedCase(20, weight(t, uniform, 300, hidden, 5), 8.5))
		}
	}
	large := embedCase(2048, weight(device.F32, uniform, 1000, 1024, 0), 1)
	large.large = true
	return append(cases, large)
}

func embedCase(rows int, table device.Weight, scale float32) testCase {
	return testCase{
		operation: "Embed",
		name:      fmt.Sprintf("weights=%s/rows=%d/vocab=%d/hidden=%d/stride=%d", table.Type, rows, table.Out, table.In, table.Stride),
		units:     rows,
		prepare: func(r *rig, units []int) step {
			ids := make([]int32, len(units))
			for i, unit := range units {
				ids[i] = int32((unit*7 + table.Out - 1) % table.Out)
			}
			dst, m := r.output(len(units), table.In), r.matrix(table)
			return step{func() { r.device.Embed(dst, m, ids, scale) }, func() [][]float64 { return r.lines(dst) }}
		},
		// A stored value, rounded once, times scale, rounded again.
		tolerance: func(p precision, _, _ int, want float64) float64 { return (2*u+p.operand)*abs(want) + least },
		bytes:     8 * float64(rows) * float64(table.In),
	}
}
