package cuda

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"avssnative/engine/device"
	kernels "avssnative/kernels/cuda"
)

// lanes are results a cycle of one multiprocessor, from the CUDA C++ Programming Guide's table of arithmetic throughput: float64 additions and
// products, conversions from and to float64, and functions such as 2ˣ.
var lanes = map[[2]int]struct{ double, convert, special float64 }{
	{8, 0}: {32, 16, 16}, {8, 6}: {2, 2, 16}, {8, 9}: {2, 2, 16}, {9, 0}: {64, 16, 16},
}

// portBytes is what a multiprocessor takes from the second-level cache a cycle.
const portBytes = 64

// effort is what a kernel does for 2,048 rows: instructions of warps, of them those in float64, conversions and special functions, bytes that it asks
// of the second-level cache, operations on the tensor cores; and into how many blocks it is divided.
type effort struct{ instructions, double, convert, special, bytes, tensor, blocks float64 }

func (w effort) scaled(by float64) effort {
	return effort{w.instructions * by, w.double * by, w.convert * by, w.special * by, w.bytes * by, w.tensor * by, w.blocks * by}
}

func (w effort) plus(o effort) effort {
	return effort{w.instructions + o.instructions, w.double + o.double, w.convert + o.convert, w.special + o.special, w.bytes + o.bytes,
		w.tensor + o.tensor, w.blocks + o.blocks}
}

var (
	convertsDouble = regexp.MustCompile(`^\s*(?:@!?%\w+ )?cvt\S*\.f64`)
	computesDouble = regexp.MustCompile(`^\s*(?:@!?%\w+ )?(?:add|sub|mul|fma|div|sqrt|setp|min|max)\S*\.f64`)
	isSpecial      = regexp.MustCompile(`^\s*(?:@!?%\w+ )?(?:ex2|rcp|rsqrt|lg2|sin|cos|sqrt|div)\S*\.f32`)
)

// effortOf reads the machine's counts of a kernel since they were cleared.
func (m machine) effortOf(t *testing.T, kernel string) effort {
	t.Helper()
	_, _, made := passed(t, generatedKernels[kernel])
	text, err := kernels.PTX(made.source)
	if err != nil {
		t.Fatal(err)
	}
	c, lines := m.counted(t, kernel), strings.Split(text, "\n")
	bytes := 32 * float64(c.globalLoad.fresh+c.globalStore.fresh+c.globalAsync.fresh)
	w := effort{instructions: float64(c.warpInstructions), bytes: bytes, tensor: 2 * float64(c.tensorMultiplyAdds), blocks: float64(c.blocks)}
	for _, l := range m.ran(kernel) {
		switch line := lines[l.line-1]; {
		case convertsDouble.MatchString(line):
			w.convert += float64(l.executed)
		case computesDouble.MatchString(line):
			w.double += float64(l.executed)
		case isSpecial.MatchString(line):
			w.special += float64(l.executed)
		}
	}
	return w
}

// takes is the least time of an effort on a GPU, in seconds, and what binds it: memory sees every byte once, as many multiprocessors work
// as there are blocks for, a warp's instruction is one of four a cycle, and each kind goes through its own lanes.
func (p part) takes(w effort) (seconds float64, bound string) {
	l, busy := lanes[p.capability], min(w.blocks, float64(p.processors))
	seconds, bound = w.bytes/p.memory, "memory"
	for what, cycles := range map[string]float64{
		"blocks": w.bytes / portBytes, "instructions": w.instructions / 4, "float64": 32 * max(w.double/l.double, w.convert/l.convert),
		"functions": 32 * w.special / l.special, "tensor cores": w.tensor / each[p.capability].tensor,
	} {
		if s := cycles / busy / p.hertz; s > seconds {
			seconds, bound = s, what
		}
	}
	return seconds, bound
}

// rowKernels run what a layer of seven billion parameters asks of each row kernel, for `rows` rows.
func rowKernels(rows int) []scenario {
	const hidden, inner, heads = 4096, 11008, 32
	bf16 := device.ComputeBF16
	frequencies, positions := make([]float64, 64), make([]int32, rows)
	for i := range frequencies {
		frequencies[i] = 1 / float64(i+1)
	}
	for i := range positions {
		positions[i] = int32(i)
	}
	measured := func(summed bool) func(d *gpu) {
		return func(d *gpu) {
			x, y, attn, mlp, act := filled(d, rows, hidden), filled(d, rows, hidden), filled(d, rows, hidden), filled(d, rows, hidden), filled(d, rows, inner)
			if summed {
				onWeight(rows, weight(hidden, 64), nil, func(d *gpu, in device.Tensor, w device.Matrix) {
					d.ProductSummed(attn, in, w, nil, device.DefaultEps)
					d.ProductSummed(mlp, in, w, nil, device.DefaultEps)
				})(d)
			}
			d.Add(y, y, mlp, 1)
			d.Measure(&device.Measure{X: x, Y: y, Attn: attn, MLP: mlp, Act: act, Layout: &device.Layout{Start: []int32{0, int32(rows)}},
				Eps: device.DefaultEps, Relative: 0.01, SkipRelativeBelow: summed})
			done(d)
		}
	}
	return []scenario{
		{"add", bf16, func(d *gpu) {
			d.Add(d.NewTensor(rows, hidden), filled(d, rows, hidden), filled(d, rows, hidden), 1)
			done(d)
		}},
		{"normalise", bf16, func(d *gpu) {
			x, f := filled(d, rows, hidden), filled(d, rows, hidden)
			d.Add(x, x, f, 1)
			d.Norm(d.NewTensor(rows, hidden), x, device.Norm{Kind: device.NormRMS, Eps: 1e-5, Weight: filled(d, 1, hidden)})
			done(d)
		}},
		{"rope", bf16, func(d *gpu) {
			d.Rope(filled(d, rows, hidden), device.Rope{HeadDim: hidden / heads, Frequencies: frequencies}, positions)
			done(d)
		}},
		{"narrow", bf16, product(rows, hidden, 64, nil)},
		{"activate", bf16, func(d *gpu) {
			d.Activate(d.NewTensor(rows, inner), filled(d, rows, inner), filled(d, rows, inner), device.Activation{Kind: device.SiLU})
			done(d)
		}},
		{"gather", bf16, func(d *gpu) { d.Gather(d.NewTensor(rows, hidden), filled(d, rows, hidden), positions); done(d) }},
		{"measure", bf16, measured(false)},
		{"measure, products' sums", bf16, measured(true)},
		{"merge", bf16, measured(true)},
		{"head_tile", bf16, headedPlain(rows, 8, vocabTile, 2, nil, true)},
		{"head_merge", bf16, headedPlain(rows, 8, 8*vocabTile, 1, nil, false)},
	}
}

// TestRowsPredicted: the table of docs/cuda.md on row kernels and attention is what the formula gives for the counts of the kernels as they ship.
func TestRowsPredicted(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	m.set(t, "fresh=1")
	defer m.set(t, "fresh=0")
	docs, err := os.ReadFile("../docs/cuda.md")
	if err != nil {
		t.Fatal(err)
	}
	said := func(name string, of func(p part) (seconds, ideal float64, bound string)) {
		t.Helper()
		row := "| " + name + " |"
		for _, p := range parts {
			seconds, ideal, bound := of(p)
			row += fmt.Sprintf(" %.1f µs, %.0f %%", seconds*1e6, 100*ideal/seconds)
			if ideal < 0.85*seconds {
				row += ", " + bound
			}
			row += " |"
		}
		if !strings.Contains(string(docs), row) {
			t.Errorf("docs/cuda.md lacks\n%s", row)
		}
	}
	const few, rows = 8, 2048
	two, one := rowKernels(2*few), rowKernels(few)
	d := open(t, device.ComputeBF16)
	for i, s := range one {
		kernel, _, _ := strings.Cut(s.kernel, ",")
		count := func(s scenario) effort {
			m.clear()
			s.run(d)
			w := m.effortOf(t, kernel)
			if w.blocks == 0 || m.findings(nil) != 0 {
				t.Fatalf("%s: %g blocks; the PTX machine found:\n%s", s.kernel, w.blocks, m.report())
			}
			return w
		}
		least, most := count(s), count(two[i])
		row := most.plus(least.scaled(-1)).scaled(1. / few) // the difference is what the further rows cost
		stages := []effort{least.plus(row.scaled(rows - few))}
		if kernel == "merge" { // one sequence, in runs and then the runs
			first, second := stages[0], least.plus(row.scaled(rows/runRows-few))
			first.blocks, second.blocks = least.blocks*rows/runRows, least.blocks
			stages = []effort{first, second}
		}
		said(s.kernel, func(p part) (seconds, ideal float64, bound string) {
			for _, w := range stages {
				var took float64
				took, bound = p.takes(w)
				seconds += took
			}
			return seconds, stages[0].bytes / p.memory, bound
		})
	}
	for _, shape := range attentionBF16[:2] {
		said(shape.name, attentionTimes(t, m, d, shape, 4096/shape.width))
	}
}

// attentionTimes counts one head's blocks for sequences of two lengths: a block of 64 queries costs its start and its tiles of keys. Blocks are
// handed, in the order of the launch, to the multiprocessor that is free first, two at a time on each, which share it.
func attentionTimes(t *testing.T, m machine, d *gpu, shape attentionKernel, heads int) func(p part) (seconds, ideal float64, bound string) {
	t.Helper()
	count := func(rows int) effort {
		m.clear()
		q, to := filled(d, rows, shape.width), d.NewTensor(rows, shape.width)
		d.Attention(to, q, q, q, device.Attention{Heads: 1, KVHeads: 1, HeadDim: shape.width, ValueDim: shape.width, Scale: 0.1, Causal: true},
			&device.Layout{Start: []int32{0, int32(rows)}})
		done(d)
		return m.effortOf(t, shape.name)
	}
	two, four := count(2*64), count(4*64) // 3 and 10 tiles of keys
	tile := four.plus(two.scaled(-2)).scaled(1. / 4)
	start := two.plus(tile.scaled(-3)).scaled(1. / 2)
	const rows = 2048
	return func(p part) (float64, float64, string) {
		free, bound, bytes := make([]float64, p.processors*2), "", 0.0
		for range heads {
			for i := rows/64 - 1; i >= 0; i-- {
				w := start.plus(tile.scaled(float64(i + 1)))
				w.blocks, bytes = 1, bytes+w.bytes
				var seconds float64
				seconds, bound = p.takes(w)
				first := 0
				for s := range free {
					if free[s] < free[first] {
						first = s
					}
				}
				free[first] += 2 * seconds
			}
		}
		operations := 4 * float64(shape.width) * rows * (rows + 1) / 2 * float64(heads)
		ideal := max(operations/each[p.capability].tensor/float64(p.processors)/p.hertz, float64(heads*shape.width)*rows*(3*2+4)/p.memory)
		return slices.Max(free), ideal, bound
	}
}
