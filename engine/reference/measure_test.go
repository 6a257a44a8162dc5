package reference

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"avssnative/engine/device"
)

var closely = cmpopts.EquateApprox(1e-12, 1e-12)

func TestReferenceMeasure(t *testing.T) {
	d := openReference(t)
	m := device.Measure{
		X:        put(d, []float32{0, 4}, []float32{0, 0}, []float32{1, 1}),
		Y:        put(d, []float32{3, 4}, []float32{0, 0}, []float32{1, -1}),
		Act:      put(d, []float32{1, 1, -1, 1}, []float32{0, 0, 0, 0}, []float32{0, 0, 0, 2}),
		Layout:   &device.Layout{Start: []int32{0, 2, 2, 3}, Prefix: []int32{-1, 0, 0}},
		Eps:      []float32{0.5, 1, 3.5},
		Relative: 1,
		Pooled:   true,
	}
	d.Measure(&m)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	root := math.Sqrt(12.5) // the RMS of (3, 4)
	first := device.SequenceMeasure{Tokens: 2, Pairs: device.Pairs{Cosine: 0.8, Distance: 3, Relative: 0.6}}
	first.Sites[device.SiteBlock] = device.Moments{N: 4, Sum: 7, Sum2: 25, Sum3: 27 + 64, Sum4: 81 + 256, SumAbs: 7, Min: 0, Max: 4,
		RelativeSum: 7 / root, RelativeSum2: 2, RelativeBelow: 3, Below: [device.MaxEps]int64{2, 2, 3}, PooledVariance: 0.125}
	first.Sites[device.SiteDelta] = device.Moments{N: 4, Sum: 3, Sum2: 9, Sum3: 27, Sum4: 81, SumAbs: 3, Min: 0, Max: 3,
		RelativeSum: 3 / root, RelativeSum2: 9 / 12.5, RelativeBelow: 4, Below: [device.MaxEps]int64{3, 3, 4}, PooledVariance: 1.125}
	first.Sites[device.SiteAct] = device.Moments{N: 8, Sum: 2, Sum2: 4, Sum3: 2, Sum4: 4, SumAbs: 4, Min: -1, Max: 1,
		RelativeSum: 2, RelativeSum2: 4, RelativeBelow: 4, Below: [device.MaxEps]int64{4, 4, 8}, PooledVariance: 0.25}
	last := device.SequenceMeasure{Tokens: 1, Pairs: device.Pairs{Cosine: 0, Distance: 2, Relative: math.Sqrt2}}
	last.Sites[device.SiteBlock] = device.Moments{N: 2, Sum2: 2, Sum4: 2, SumAbs: 2, Min: -1, Max: 1, RelativeSum2: 2,
		Below: [device.MaxEps]int64{0, 0, 2}, PooledVariance: 2}
	last.Sites[device.SiteDelta] = device.Moments{N: 2, Sum: -2, Sum2: 4, Sum3: -8, Sum4: 16, SumAbs: 2, Min: -2, Max: 0,
		RelativeSum: -2, RelativeSum2: 4, RelativeBelow: 1, Below: [device.MaxEps]int64{1, 1, 2}, PooledVariance: 2}
	last.Sites[device.SiteAct] = device.Moments{N: 4, Sum: 2, Sum2: 4, Sum3: 8, Sum4: 16, SumAbs: 2, Min: 0, Max: 2,
		RelativeSum: 2, RelativeSum2: 4, RelativeBelow: 3, Below: [device.MaxEps]int64{3, 3, 4}, PooledVariance: 1}
	if diff := cmp.Diff([]device.SequenceMeasure{first, {}, last}, m.Out, closely); diff != "" {
		t.Error(diff)
	}
}

// The mixer's and the MLP's shares are relative to what leaves the block.
func TestReferenceMeasureRelativeToBlock(t *testing.T) {
	d := openReference(t)
	share := put(d, []float32{1, -1})
	m := device.Measure{Y: put(d, []float32{2, 2}), Attn: share, MLP: share, Layout: &device.Layout{Start: []int32{0, 1}}, Relative: 0.6}
	d.Measure(&m)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	want := device.Moments{N: 2, Sum2: 2, Sum4: 2, SumAbs: 2, Min: -1, Max: 1, RelativeSum2: 0.5, RelativeBelow: 2}
	for _, site := range []device.Site{device.SiteAttn, device.SiteMLP} {
		if diff := cmp.Diff(want, m.Out[0].Sites[site], closely); diff != "" {
			t.Errorf("%s: %s", site, diff)
		}
	}
	if m.Out[0].Sites[device.SiteDelta] != (device.Moments{}) || m.Out[0].Pairs != (device.Pairs{}) {
		t.Error("a difference without x")
	}
}

func TestReferenceMeasureNoNumbers(t *testing.T) {
	d := openReference(t)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	m := device.Measure{Y: put(d, []float32{nan, inf, -inf, 5}), Layout: &device.Layout{Start: []int32{0, 1}}, Eps: []float32{6}, Relative: 1}
	d.Measure(&m)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	got := m.Out[0].Sites[device.SiteBlock]
	if got.N != 4 || got.NaN != 1 || got.Inf != 2 || got.Below[0] != 1 || !math.IsNaN(got.Sum) || !math.IsInf(got.Max, 1) || !math.IsInf(got.Min, -1) {
		t.Errorf("%+v", got)
	}
	m.Y = put(d, []float32{nan})
	d.Measure(&m)
	if got := m.Out[0].Sites[device.SiteBlock]; got.Min != 0 || got.Max != 0 || got.NaN != 1 {
		t.Errorf("no number at all: %+v", got)
	}

	m.Eps = make([]float32, device.MaxEps+1)
	d.Measure(&m)
	refuses(t, d, "measure", "9 thresholds")
	d.Measure(&device.Measure{Attn: m.Y, Layout: m.Layout})
	refuses(t, d, "measure", "relative to y")
	d.Measure(&device.Measure{Y: m.Y, X: d.NewTensor(2, 1), Layout: m.Layout})
	refuses(t, d, "different numbers of rows")
	d.Measure(&device.Measure{Y: m.Y, X: d.NewTensor(1, 2), Layout: m.Layout})
	refuses(t, d, "different widths")
}

func TestReferenceHead(t *testing.T) {
	d := openReference(t)
	ln := func(x float64) float32 { return float32(math.Log(x)) }
	// Probabilities in the ratios 1 : 2 : 1 and, halved by x = ½, 1 : √2 : 1.
	h := device.Head{
		X:       []device.Tensor{put(d, []float32{1}, []float32{0.5}), put(d, []float32{0}, []float32{0.5})},
		Weight:  matrixOf(t, d, []float32{0}, []float32{ln(2)}, []float32{0}),
		Offsets: []int32{0, 2, 3},
		Targets: []int32{0, 1, 1},
		Diverge: true,
	}
	d.Head(&h)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	log := math.Log
	about := cmpopts.EquateApprox(0, 1e-7) // ln 2 is stored as float32
	wantProbs := [][]float64{{log(0.25), log(0.5), log(math.Sqrt2 / (2 + math.Sqrt2))}, {log(1. / 3), log(1. / 3), log(math.Sqrt2 / (2 + math.Sqrt2))}}
	if diff := cmp.Diff(wantProbs, h.LogProbs, about); diff != "" {
		t.Error(diff)
	}
	wantRows := [][]device.HeadRow{
		{{LogSum: log(4), Top: 1}, {LogSum: log(2 + math.Sqrt2), Top: 1}},
		{{LogSum: log(3), Top: 0, KL: 0.5*log(0.75) + 0.5*log(1.5)}, {LogSum: log(2 + math.Sqrt2), Top: 1}},
	}
	if diff := cmp.Diff(wantRows, h.Rows, about); diff != "" {
		t.Error(diff)
	}

	// Logits 3·(0 + b) capped at 2: 2·tanh(3b/2). Without targets there are none, without Diverge no divergence.
	b := float32(math.Log(3) * 2 / 3)
	h = device.Head{X: []device.Tensor{put(d, []float32{0}), put(d, []float32{1})}, Weight: h.Weight, Bias: put(d, []float32{0, 0, b}), Scale: 3,
		SoftCap: 2}
	d.Head(&h)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	if want := log(2 + math.Exp(1.6)); math.Abs(h.Rows[0][0].LogSum-want) > 1e-7 || h.Rows[0][0].Top != 2 || len(h.LogProbs[0]) != 0 ||
		h.Rows[1][0].KL != 0 {
		t.Errorf("%+v, want log-sum %g", h, want)
	}
}

func TestReferenceHeadRefuses(t *testing.T) {
	d := openReference(t)
	x := d.NewTensor(1, 2)
	w := matrixOf(t, d, []float32{0, 0}, []float32{0, 0}, []float32{0, 0})
	for name, h := range map[string]device.Head{
		"token id 3 at target 0, vocabulary has 3": {Offsets: []int32{0, 1}, Targets: []int32{3}},
		"token id -1":                      {Offsets: []int32{0, 1}, Targets: []int32{-1}},
		"1 offsets, want 2":                {Offsets: []int32{0}},
		"offsets from 0 to 0, want 0 to 1": {Offsets: []int32{0, 0}, Targets: []int32{1}},
		"shape [2 2], want [1 2]":          {X: []device.Tensor{x, d.NewTensor(2, 2)}},
		"bias":                             {Bias: d.NewTensor(1, 2)},
	} {
		if h.X == nil {
			h.X = []device.Tensor{x}
		}
		h.Weight = w
		d.Head(&h)
		refuses(t, d, "head", name)
	}
	d.Head(&device.Head{Weight: w})
	refuses(t, d, "no rows")
}
