package cuda

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"avssnative/avss"
	"avssnative/engine"
	"avssnative/engine/device"
)

// reducing are the products whose epilogues reduce their results in registers: one a case of tile and precision. The Hopper products come
// beside product_bf16, because where they do not serve they are as if they were not there.
type reducing struct {
	name    string
	compute device.Compute
	force   *tile
	hopper  bool
	sharing int // blocks that share the tiles, for the sums alone
}

func reducings() []reducing {
	return []reducing{
		{"f32", device.ComputeF32, nil, false, 0}, {"mid", device.ComputeBF16, &tileMid, false, 0}, {"big", device.ComputeBF16, &tileBig, false, 0},
		{"hopper", device.ComputeBF16, nil, true, 0}, {"mid, shared", device.ComputeBF16, &tileMid, false, 7},
		{"wide, shared", device.ComputeBF16, &tileWide, false, 4}, {"big, shared", device.ComputeBF16, &tileBig, false, 1},
	}
}

func (f reducing) open(t *testing.T) *gpu {
	if f.hopper {
		d := openHopper(t)
		d.hopper.blocks = 3
		return d
	}
	d := open(t, f.compute)
	d.forced, d.sharing = f.force, f.sharing
	return d
}

// exactWeight is a weight of small multiples of 1/16: with rows of such values every product has the same bits.
func exactWeight(out, in int) device.Weight {
	return hopperWeight(hopperValues(out*in, uint32(out), true), out, in)
}

// TestHeadFused: logits that stay in the product's registers give the bits that stored ones give, whatever the tile; and a row gives them
// whatever stands beside it.
func TestHeadFused(t *testing.T) {
	silent(t)
	const hidden, vocab, rows = 24, vocabTile + 333, 70
	table := map[string]*device.Head{}
	for _, f := range reducings() {
		if f.sharing > 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			d := f.open(t)
			m, err := d.Matrix(exactWeight(vocab, hidden))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Release()
			bias := d.NewTensor(1, vocab)
			defer bias.Free()
			d.Upload(bias, 0, hopperValues(vocab, 3, true))
			run := func(plain bool, first, n int) *device.Head {
				t.Helper()
				h := &device.Head{Weight: m, Bias: bias, Scale: 0.75, SoftCap: 6, Offsets: []int32{0}}
				for v := range 2 {
					x := d.NewTensor(n, hidden)
					defer x.Free()
					d.Upload(x, 0, hopperValues(rows*hidden, uint32(5+v), true)[first*hidden:][:n*hidden])
					h.X = append(h.X, x)
				}
				for r := first; r < first+n; r++ {
					for k := range r % 4 {
						h.Targets = append(h.Targets, int32((r*61+k*(vocab-1))%vocab))
					}
					h.Offsets = append(h.Offsets, int32(len(h.Targets)))
				}
				d.plain = plain
				defer func() { d.plain = false }()
				d.Head(h)
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
				return h
			}
			fused, stored := run(false, 0, rows), run(true, 0, rows)
			if !reflect.DeepEqual(fused.Rows, stored.Rows) || !reflect.DeepEqual(fused.LogProbs, stored.LogProbs) {
				t.Error("fused and stored logits give different bits")
			}
			alone := run(false, 7, 1)
			for v := range 2 {
				if alone.Rows[v][0] != fused.Rows[v][7] || !reflect.DeepEqual(alone.LogProbs[v], fused.LogProbs[v][fused.Offsets[7]:fused.Offsets[8]]) {
					t.Errorf("variant %d: a row alone has other bits", v)
				}
			}
			table[f.name] = fused
			if before := table["mid"]; before != nil && f.compute == device.ComputeBF16 && !reflect.DeepEqual(fused.Rows, before.Rows) {
				t.Error("other bits than product_bf16_mid_head's")
			}
		})
	}
}

// TestHeadStored: a head whose quantised blocks are read as they are stored stores its logits, and gives the bits of the fused one.
func TestHeadStored(t *testing.T) {
	d := open(t, device.ComputeBF16)
	silent(t)
	const rows, hidden, vocab = 9, 256, 150
	m, err := d.Matrix(blocks(device.Q8_0, hidden, vocab, 34, 32))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Release()
	x := filled(d, rows, hidden)
	var all [2]*device.Head
	for i, force := range []*tile{nil, &tileMid} {
		d.forced = force
		h := &device.Head{X: []device.Tensor{x}, Weight: m}
		if d.headFuses(h, m.(*matrix), rows) != (force != nil) {
			t.Error("the wrong one is fused")
		}
		d.Head(h)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		all[i] = h
	}
	if !reflect.DeepEqual(all[0].Rows, all[1].Rows) {
		t.Error("stored and fused logits give different bits")
	}
}

// TestHeadSpecial: slots in which all logits are −∞ count for nothing, and a logit that is no number makes its row's sum none.
func TestHeadSpecial(t *testing.T) {
	silent(t)
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		d := open(t, compute)
		const vocab, masked = 200, 70
		m, err := d.Matrix(exactWeight(vocab, 8))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Release()
		x := filled(d, 2, 8)
		for _, last := range []float64{0, math.NaN()} {
			shift := make([]float32, vocab)
			for i := masked; i < vocab; i++ {
				shift[i] = float32(math.Inf(-1))
			}
			shift[vocab-1] += float32(last)
			bias := d.NewTensor(1, vocab)
			d.Upload(bias, 0, shift)
			h := &device.Head{X: []device.Tensor{x}, Weight: m, Bias: bias}
			d.Head(h)
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			if got := h.Rows[0][1]; math.IsNaN(got.LogSum) != math.IsNaN(last) || math.IsInf(got.LogSum, 0) || got.Top < 0 || got.Top >= masked {
				t.Errorf("%s, last logit %g: %+v", compute, last, got)
			}
		}
	}
}

// TestSummed: sums that a product takes of its results are those that measure takes of the stored ones, but for the order in which float64
// adds: n terms added in any order are off by at most n·2⁻⁵³ of the sum of their magnitudes. Counts and extremes are the same, and so is all
// else. The sums' bits depend neither on the tile nor on the rows beside one.
func TestSummed(t *testing.T) {
	silent(t)
	const in, out, rows = 40, 333, 70
	layout := &device.Layout{Start: []int32{0, 1, 30, rows}}
	eps := []float32{1e-3, 0.25, 0.7, 1, 2, 4}
	var mid []device.SequenceMeasure
	for _, f := range reducings() {
		t.Run(f.name, func(t *testing.T) {
			d := f.open(t)
			m, err := d.Matrix(exactWeight(out, in))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Release()
			x, y, to, bias := d.NewTensor(rows, in), d.NewTensor(rows, out), d.NewTensor(rows, out), d.NewTensor(1, out)
			for _, tensor := range []device.Tensor{x, y, to, bias} {
				defer tensor.Free()
			}
			d.Upload(x, 0, hopperValues(rows*in, 9, true))
			d.Upload(y, 0, sequence(rows*out, 4))
			shift := hopperValues(out, 2, true)
			shift[0], shift[100], shift[332] = float32(math.Inf(1)), float32(math.NaN()), float32(math.Inf(-1))
			measure := func(first int, l *device.Layout) []device.SequenceMeasure {
				t.Helper()
				part := to.Slice(first, l.Rows())
				m := &device.Measure{Y: y.Slice(first, l.Rows()), Attn: part, MLP: part, Layout: l, Eps: eps, Relative: 0.5, SkipRelativeBelow: true}
				d.Measure(m)
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
				return m.Out
			}
			run := func(plain bool, numbers bool) ([]float32, []device.SequenceMeasure) {
				d.plain = plain
				own := append([]float32(nil), shift...)
				if numbers {
					own[0], own[100], own[332] = 1, 2, 3
				}
				d.Upload(bias, 0, own)
				d.ProductSummed(to, x, m, bias, eps)
				if (to.(*tensor).in.sums != nil) == plain {
					t.Error("sums are there, or not, against what was asked")
				}
				values := make([]float32, rows*out)
				d.Download(values, to, 0)
				d.plain = false
				return values, measure(0, layout)
			}
			for _, numbers := range []bool{true, false} {
				values, got := run(false, numbers)
				stored, want := run(true, numbers)
				for i := range values {
					if math.Float32bits(values[i]) != math.Float32bits(stored[i]) {
						t.Fatalf("value %d is %g, stored alone %g", i, values[i], stored[i])
					}
				}
				for s := range got {
					compareMoments(t, fmt.Sprintf("sequence %d", s), &got[s], &want[s], numbers)
				}
			}
			_, got := run(false, true)
			part := measure(30, &device.Layout{Start: []int32{0, rows - 30}})
			if !reflect.DeepEqual(part[0].Sites[device.SiteMLP], got[2].Sites[device.SiteMLP]) {
				t.Error("a view of some rows has other sums")
			}
			if f.name == "mid" {
				mid = got
			} else if f.compute == device.ComputeBF16 && !reflect.DeepEqual(got, mid) {
				t.Error("other bits than product_bf16_mid_sums'")
			}
			d.Scale(to, 2, nil)
			after := measure(0, layout)
			before := got[2].Sites[device.SiteMLP]
			if twice := after[2].Sites[device.SiteMLP].Sum; twice != 2*before.Sum && math.Abs(twice-2*before.Sum) > 1e-9*before.SumAbs {
				t.Errorf("sum %g after doubling, %g before: the old sums were used", twice, before.Sum)
			}
		})
	}
}

// compareMoments compares sites attn and mlp; where values are no numbers, sums are none alike.
func compareMoments(t *testing.T, what string, got, want *device.SequenceMeasure, numbers bool) {
	t.Helper()
	for _, site := range []device.Site{device.SiteAttn, device.SiteMLP} {
		g, w := got.Sites[site], want.Sites[site]
		g.RelativeBelow, w.RelativeBelow = 0, 0
		power := [5]float64{1: w.SumAbs, 2: w.Sum2, 3: math.Pow(w.Sum2*w.Sum4, 0.5), 4: w.Sum4} // Σ|v|³ ≤ √(Σv²·Σv⁴)
		u := 2 * float64(w.N) * 0x1p-53
		relative := math.Sqrt(w.RelativeSum2 * float64(w.N)) // Σ|v/rms| ≤ √(n·Σ(v/rms)²)
		for _, c := range []struct {
			name      string
			got, want *float64
			allowed   float64
		}{
			{"Σ", &g.Sum, &w.Sum, u * power[1]}, {"Σ²", &g.Sum2, &w.Sum2, u * power[2]}, {"Σ³", &g.Sum3, &w.Sum3, u * power[3]},
			{"Σ⁴", &g.Sum4, &w.Sum4, u * power[4]}, {"Σ|v|", &g.SumAbs, &w.SumAbs, u * power[1]},
			{"Σ relative", &g.RelativeSum, &w.RelativeSum, u * relative}, {"Σ relative²", &g.RelativeSum2, &w.RelativeSum2, u * w.RelativeSum2},
		} {
			if numbers && !(math.Abs(*c.got-*c.want) <= c.allowed) || !numbers && fmt.Sprint(*c.got) != fmt.Sprint(*c.want) {
				t.Errorf("%s, site %s: %s %g, from stored values %g, allowed %g", what, site, c.name, *c.got, *c.want, c.allowed)
			}
			*c.got, *c.want = 0, 0
		}
		if g != w {
			t.Errorf("%s, site %s: %+v, from stored values %+v", what, site, g, w)
		}
	}
	if numbers && (got.Sites[device.SiteBlock] != want.Sites[device.SiteBlock] || got.Pairs != want.Pairs) {
		t.Errorf("%s: what is not taken from the product differs", what)
	}
}

// TestSummedServes: products take the sums where no observer wants counts relative to whole rows, the scores being those of rows read again;
// mode robust wants them.
func TestSummedServes(t *testing.T) {
	open(t, device.ComputeF32)
	silent(t)
	t.Setenv("AVSSNATIVE_CUDA_SYNC", "1")
	for _, compute := range []device.Compute{device.ComputeF32, device.ComputeBF16} {
		scores := map[avss.Mode]avss.Scores{}
		for _, mode := range []avss.Mode{avss.Robust, avss.Paper} {
			o := avss.Options{Mode: mode, Site: avss.SiteMLP, Eps: device.DefaultEps[3]}
			metric := avss.NewAVSS(o)
			summed := 0
			for kernel, ran := range observed(t, compute, metric).profile {
				if strings.HasSuffix(kernel, "_sums") {
					summed += ran.launches
				}
			}
			if layers := 2 * 8; mode == avss.Robust && summed != 0 || mode == avss.Paper && summed < layers {
				t.Errorf("%s, mode %s: %d products took sums", compute, mode, summed)
			}
			got, err := metric.Of(avss.Paper, o.Site, o.Eps)
			if err != nil {
				t.Fatal(err)
			}
			scores[mode] = got
			if _, err := metric.Of(avss.Robust, avss.SiteMLP, 0); (err == nil) != (mode == avss.Robust) {
				t.Errorf("mode %s: mode robust at site mlp: error %v", mode, err)
			}
			if _, err := metric.Of(avss.Robust, avss.SiteDelta, 0); err != nil {
				t.Errorf("mode %s: mode robust at site delta: %v", mode, err)
			}
		}
		for layer, want := range scores[avss.Robust].Values {
			if got := scores[avss.Paper].Values[layer]; !(math.Abs(got-want) <= 1e-9*want) {
				t.Errorf("%s: layer %d scores %g, from rows read again %g", compute, layer, got, want)
			}
		}
	}
}

// observed walks a text through the demo and gives the device, closed.
func observed(t *testing.T, compute device.Compute, o engine.Observer) *gpu {
	t.Helper()
	m, err := engine.Open(context.Background(), "demo", engine.Options{Device: "cuda:0", Options: device.Options{Compute: compute}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	pass := engine.Pass{Observe: []engine.Observer{o}, Sequences: demoTexts(t, m, 1)}
	pass.Sequences[0].IDs = pass.Sequences[0].IDs[:min(len(pass.Sequences[0].IDs), 60)]
	if _, err := m.Run(context.Background(), pass); err != nil {
		t.Fatal(err)
	}
	d, err := m.Device()
	if err != nil {
		t.Fatal(err)
	}
	return d.(*gpu)
}
