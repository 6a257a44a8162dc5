package cuda

import (
	"fmt"
	"strings"
	"testing"

	"avssnative/engine/device"
)

// counted is a case whose least traffic is known: `least` bytes are what a block's rows must at least bring and take, every operand once a row.
type countedCase struct {
	scenario
	what  string
	least float64 // 0: by tiles, TestCountersProduct's matter
}

// TestCounters holds what the kernels move, as the PTX machine counts it, against the least possible, and logs the table of docs/cuda.md. The
// limits: row kernels ask the second-level cache for at most 1.05 of the least (sectors that a block reads twice counted once, for the first
// level holds a row; what it wrote and reads again counted twice); no access of global memory touches a sector it does not use; shared memory
// is read and filled without bank conflicts.
func TestCounters(t *testing.T) {
	m := openMachine(t)
	m.set(t, "quiet=1")
	m.set(t, "fresh=1")
	defer m.set(t, "fresh=0")
	t.Logf("%-20s %-22s %12s %12s %9s %9s %7s", "kernel", "", "bytes", "of the least", "sectors", "conflicts", "tensor")
	for _, s := range countedCases() {
		d := open(t, s.compute)
		m.clear()
		s.run(d)
		c := m.counted(t, s.kernel)
		if c.launches == 0 {
			t.Errorf("%s did not run", s.kernel)
			continue
		}
		fresh, sectors, fewest := uint64(0), uint64(0), uint64(0)
		for _, part := range []machineTraffic{c.globalLoad, c.globalStore, c.globalAsync} {
			fresh, sectors, fewest = fresh+part.fresh, sectors+part.units, fewest+part.least
		}
		conflicts := c.sharedLoad.units - c.sharedLoad.least + c.sharedAsync.units - c.sharedAsync.least
		over := 0.0
		if s.least > 0 {
			over = 32 * float64(fresh) / s.least
		}
		t.Logf("%-20s %-22s %12d %12.3f %9.3f %9d %6.1f%%", s.kernel, s.what, 32*fresh, over, float64(sectors)/float64(fewest), conflicts,
			100*float64(c.byClass[0])/float64(c.warpInstructions))
		if over > 1.05 || s.least > 0 && over < 0.99 {
			t.Errorf("%s %s moves %.3f of the least", s.kernel, s.what, over)
		}
		if sectors != fewest {
			t.Errorf("%s %s: accesses touch %d sectors, %d would do:%s", s.kernel, s.what, sectors, fewest, m.wasteful(s.kernel))
		}
		if conflicts != 0 {
			t.Errorf("%s %s: %d bank conflicts", s.kernel, s.what, conflicts)
		}
	}
}

// wasteful lists the lines of a kernel that touch more sectors than they use.
func (m machine) wasteful(kernel string) string {
	var list strings.Builder
	for _, l := range m.ran(kernel) {
		if l.global.units > l.global.least {
			fmt.Fprintf(&list, "\n  line %d: %d sectors, %d would do", l.line, l.global.units, l.global.least)
		}
	}
	return list.String()
}

// countedCases are of a real model's kind of width. Tensors' rows begin at sectors there, as in every model whose widths are multiples of 8.
func countedCases() []countedCase {
	const rows, cols, wide, vocab = 64, 1024, 2816, 2 * vocabTile
	const cells, record = float64(rows * cols), 8 * float64(int(device.Sites)*slots+3)
	f32, bf16 := device.ComputeF32, device.ComputeBF16
	row := func(kernel string, compute device.Compute, what string, least float64, run func(d *gpu)) countedCase {
		return countedCase{scenario{kernel, compute, func(d *gpu) { run(d); _ = d.Sync() }}, what, least}
	}
	tiles := func(kernel string, compute device.Compute, run func(d *gpu)) countedCase {
		return countedCase{scenario{kernel, compute, run}, "", 0}
	}
	positions := make([]int32, rows)
	for i := range positions {
		positions[i] = int32(i * 37 % rows)
	}
	frequencies := make([]float64, 32)
	for i := range frequencies {
		frequencies[i] = 1 / float64(i+1)
	}
	measured := func(d *gpu, joined, summed bool) {
		x, y, attn, act := filled(d, rows, cols), filled(d, rows, cols), filled(d, rows, cols), filled(d, rows, wide)
		mlp := filled(d, rows, cols)
		if summed {
			m, err := d.Matrix(weight(cols, 64))
			if err != nil {
				panic(err)
			}
			in := filled(d, rows, 64)
			d.ProductSummed(attn, in, m, nil, device.DefaultEps)
			d.ProductSummed(mlp, in, m, nil, device.DefaultEps)
		}
		if joined {
			d.Add(y, y, mlp, 1)
		}
		d.Measure(&device.Measure{X: x, Y: y, Attn: attn, MLP: mlp, Act: act, Layout: &device.Layout{Start: []int32{0, 40, rows}},
			Eps: device.DefaultEps, Relative: 0.01, SkipRelativeBelow: summed})
	}
	return []countedCase{
		tiles("product_bf16", bf16, product(256, 512, 512, &tileBig)),
		tiles("product_bf16_mid", bf16, product(128, 512, 128, &tileMid)),
		tiles("product_bf16_few", bf16, product(16, 512, 128, &tileFew)),
		tiles("product_f32", f32, product(128, 256, 128, nil)),
		tiles("attention_bf16_64", bf16, attention(256, 64, 64)),
		tiles("attention_bf16_128", bf16, attention(256, 128, 128)),
		tiles("attention_bf16_256", bf16, attention(128, 256, 256)),
		row("add", f32, "", 12*cells, func(d *gpu) {
			x, y := filled(d, rows, cols), filled(d, rows, cols)
			d.Add(d.NewTensor(rows, cols), x, y, 1)
		}),
		row("scale", f32, "", 8*cells, func(d *gpu) { d.Scale(filled(d, rows, cols), 2, nil) }),
		row("clamp", f32, "", 8*cells, func(d *gpu) { d.Clamp(filled(d, rows, cols), 0.5) }),
		row("activate", bf16, "with up and copy", 14*cells, func(d *gpu) {
			x, y := filled(d, rows, cols), filled(d, rows, cols)
			d.Activate(d.NewTensor(rows, cols), x, y, device.Activation{Kind: device.SiLU})
		}),
		row("normalise", bf16, "with copy", 14*cells, func(d *gpu) {
			x, weight := filled(d, rows, cols), filled(d, 1, cols)
			d.Norm(d.NewTensor(rows, cols), x, device.Norm{Kind: device.NormRMS, Eps: 1e-5, Weight: weight})
		}),
		row("normalise", bf16, "with addition and copy", 22*cells, func(d *gpu) {
			x, f, to, weight := filled(d, rows, cols), filled(d, rows, cols), d.NewTensor(rows, cols), filled(d, 1, cols)
			d.Add(x, x, f, 1)
			d.Norm(to, x, device.Norm{Kind: device.NormRMS, Eps: 1e-5, Weight: weight})
		}),
		row("narrow", bf16, "", 6*cells, product(rows, cols, 64, nil)),
		row("gather", f32, "", 8*cells, func(d *gpu) { d.Gather(d.NewTensor(rows, cols), filled(d, rows, cols), positions) }),
		row("rope", f32, "16 heads of 64", 8*cells, func(d *gpu) {
			d.Rope(filled(d, rows, cols), device.Rope{HeadDim: 64, Frequencies: frequencies}, positions)
		}),
		row("measure", f32, "", 16*cells+4*rows*wide+record*rows, func(d *gpu) { measured(d, false, false) }),
		row("measure", f32, "with addition", 20*cells+4*rows*wide+record*rows, func(d *gpu) { measured(d, true, false) }),
		row("measure", f32, "with products' sums", 10*cells+4*rows*wide+record*rows, func(d *gpu) { measured(d, false, true) }),
		row("merge", f32, "", record*(rows+2), func(d *gpu) { measured(d, false, false) }),
		row("head_tile", bf16, "two variants", 2*4*rows*vocab+2*rows*2*(24+24)-2*rows*24, headedPlain(rows, 8, vocab, 2, nil, true)),
		row("head_merge", bf16, "two variants", 2*rows*(16*vocab/group+24), headedPlain(rows, 8, vocab, 2, nil, false)),
	}
}
