package avss

import (
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"
	"avssnative/engine/device"
)

// flat is all values of a site in one layer over all sequences, by the definition.
func flat(sequences []sequenceOf, layer int, relative bool) (values []float64) {
	for _, s := range sequences {
		for t, y := range s.residual[layer+1] {
			scale := 1.0
			if relative {
				scale = length(y) / math.Sqrt(float64(len(y)))
			}
			for c := range y {
				values = append(values, (y[c]-s.residual[layer][t][c])/scale)
			}
		}
	}
	return values
}

func varianceAndBelow(values []float64, eps float64) (variance, below float64) {
	mean := 0.0
	for _, v := range values {
		mean += v / float64(len(values))
		if math.Abs(v) < eps {
			below++
		}
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean) / float64(len(values))
	}
	return variance, below
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*math.Abs(want)) && got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestModesByDefinition(t *testing.T) {
	sequences := randomSequences(2, 10, 4)
	a := NewAVSS(testOptions(0))
	if err := walk(sequences, a); err != nil {
		t.Fatal(err)
	}
	paper, err := a.Of(Paper, SiteDelta, 1e-1)
	if err != nil {
		t.Fatal(err)
	}
	reference, err := a.Of(Reference, SiteDelta, 1e-1)
	if err != nil {
		t.Fatal(err)
	}
	robust := scoresOf(t, a)
	// Float64 sums of at most 32 values a sequence: 32 roundings of 1e-16, grown by the cancellation of a mean near zero.
	const tolerance = 1e-12
	for l := range 4 {
		variance, below := varianceAndBelow(flat(sequences, l, false), 1e-1)
		n := float64(len(flat(sequences, l, false)))
		near(t, "paper", paper.Values[l], variance/(below/n), tolerance)
		relative, few := varianceAndBelow(flat(sequences, l, true), 1e-2)
		near(t, "robust", robust.Values[l], relative/((few+0.5)/(n+1)), tolerance)
		// Batches of 3, 3, 3 and 1.
		var av, as float64
		for first := 0; first < 10; first += 3 {
			end := min(first+3, 10)
			var pooledSum, share float64
			for i := first; i < end; i++ {
				m := sequences[i].measure(l, []float32{1e-1}, 1e-2).Sites[device.SiteDelta]
				pooledSum += m.PooledVariance
				share += float64(m.Below[0]) / float64(m.N)
			}
			av += pooledSum / float64(end-first) / 4
			as += share / float64(end-first) / 4
		}
		near(t, "reference", reference.Values[l], av/as, tolerance)
		s, err := a.Summary(l, device.SiteDelta)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "summary variance", float64(s.Variance), variance, tolerance)
		near(t, "summary relative variance", float64(s.RelativeVariance), relative, tolerance)
		fourth, mean := 0.0, 0.0
		values := flat(sequences, l, false)
		for _, v := range values {
			mean += v / n
		}
		for _, v := range values {
			fourth += math.Pow(v-mean, 4) / n
		}
		near(t, "summary kurtosis", float64(s.Kurtosis), fourth/variance/variance, 1e-10)
		near(t, "summary min", float64(s.Min), slices.Min(values), 0)
		near(t, "summary max", float64(s.Max), slices.Max(values), 0)
	}
}

// The score computed from rounded buckets, which the bootstrap uses, against the exact one.
func TestCombineIsTheExactScore(t *testing.T) {
	sequences := randomSequences(6, 45, 3)
	a := NewAVSS(testOptions(0))
	if err := walk(sequences, a); err != nil {
		t.Fatal(err)
	}
	var ones weights
	for b := range ones {
		ones[b] = 1
	}
	for l := range 3 {
		for at, mode := range map[int]Mode{-1: Robust, 4: Paper} {
			cells := &a.moments.cells[l][device.SiteDelta]
			want, err := cells.exact(at)
			if err != nil {
				t.Fatal(err)
			}
			parts := cells.parts(at)
			near(t, string(mode), combine(&parts, &ones, mode), want, 1e-12)
		}
	}
}

// profile makes AVSS states with given variances and counts: one sequence of n values in each layer.
func profile(t *testing.T, n int64, variances []float64, below []int64) *AVSS {
	a := NewAVSS(Options{Mode: Paper, Site: SiteBlock, Resamples: -1})
	for l := range variances {
		m := &engine.Measurement{Layer: l, Layers: len(variances), Eps: []float32{PaperEps}, Relative: device.DefaultRelative}
		m.Tokens = 1
		m.Sites[device.SiteBlock] = device.Moments{N: n, Sum2: variances[l] * float64(n), Below: [device.MaxEps]int64{below[l]}}
		if err := a.Observe(m); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// Fault 3 of the published code: one zero sparsity makes every normalised score 0 or NaN. Here it is that layer's own affair.
func TestZeroSparsitySpoilsNoOtherLayer(t *testing.T) {
	s := scoresOf(t, profile(t, 100, []float64{3, 1, 2, 6}, []int64{10, 0, 10, 20}))
	want := []float64{30, math.Inf(1), 20, 30}
	if !slices.EqualFunc(s.Values, want, func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-12 }) {
		t.Errorf("scores %v, want %v", s.Values, want)
	}
	if got := s.Ranking(); !slices.Equal(got, []int{2, 0, 3, 1}) {
		t.Errorf("ranking %v: the layer without sparse activations must go last, equal scores by layer", got)
	}
	normalised := s.Normalised()
	for l, share := range []float64{30. / 80, math.Inf(1), 20. / 80, 30. / 80} {
		near(t, "normalised", normalised[l], share, 1e-12)
	}
	if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "layers [1]") || !strings.Contains(s.Notes[0], "goes last") {
		t.Errorf("notes %q do not name the layer", s.Notes)
	}
}

// Fault 4: a short last batch weighs as much as a full one. In modes paper and robust every value weighs the same, whatever the batch.
func TestEveryValueWeighsTheSame(t *testing.T) {
	a := NewAVSS(Options{Mode: Paper, Site: SiteBlock, Batch: 2, Resamples: -1})
	// Three sequences, values of variance 1, 1 and 4, a tenth of them sparse: batches {0, 1} and {2}.
	for i, v := range []float64{1, 1, 4} {
		m := &engine.Measurement{Layers: 1, Sequence: i, Eps: []float32{PaperEps}, Relative: device.DefaultRelative}
		m.Tokens = 1
		m.Sites[device.SiteBlock] = device.Moments{N: 10, Sum2: v * 10, PooledVariance: v, Below: [device.MaxEps]int64{1}}
		if err := a.Observe(m); err != nil {
			t.Fatal(err)
		}
	}
	near(t, "paper", scoresOf(t, a).Values[0], 2/0.1, 1e-12)
	reference, err := a.Of(Reference, SiteBlock, PaperEps)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "reference", reference.Values[0], 2.5/0.1, 1e-12)
}

func TestShardsThatMeasuredOtherwise(t *testing.T) {
	sequences := randomSequences(3, 4, 2)
	whole := NewAVSS(testOptions(0))
	if err := walk(sequences, whole); err != nil {
		t.Fatal(err)
	}
	o := testOptions(4)
	o.Batch = 0
	other := NewAVSS(o)
	if err := walk(sequences, other); err != nil {
		t.Fatal(err)
	}
	if err := whole.Merge(other); err != nil {
		t.Fatal(err)
	}
	scoresOf(t, whole)
	if _, err := whole.Of(Reference, SiteAct, 0); err == nil || !strings.Contains(err.Error(), "site act: pooled variances of 4 of 8 sequences") {
		t.Errorf("half the pooled variances: %v", err)
	}
	fewer := NewAVSS(testOptions(8))
	m := &engine.Measurement{Layers: 2, Eps: []float32{PaperEps}, Relative: device.DefaultRelative}
	if err := fewer.Observe(m); err != nil {
		t.Fatal(err)
	}
	before := marshal(t, whole)
	if err := whole.Merge(fewer); err == nil || !strings.Contains(err.Error(), "thresholds [1e-05] and 0.01, before [1e-05 0.0001") {
		t.Errorf("other thresholds: %v", err)
	}
	if !slices.Equal(before, marshal(t, whole)) {
		t.Error("a refusal changed the state")
	}
}

// TestRelativeBelowNotCounted: what nobody wanted is no zero, in a state, merged or saved.
func TestRelativeBelowNotCounted(t *testing.T) {
	o := testOptions(0)
	if !NewAVSS(o).Wants().RelativeBelow {
		t.Error("mode robust does not ask for values near zero")
	}
	o.Mode = Paper
	if NewAVSS(o).Wants().RelativeBelow {
		t.Error("mode paper asks for values near zero")
	}
	counts, none := NewAVSS(testOptions(0)), NewAVSS(testOptions(1))
	sequences := randomSequences(5, 2, 3)
	for i, a := range []*AVSS{counts, none} {
		for layer := range 3 {
			seen := sequences[i].measure(layer, device.DefaultEps, device.DefaultRelative)
			if a == none {
				seen.Sites[device.SiteMLP].RelativeBelow = -1
			}
			if err := a.Observe(&engine.Measurement{Layer: layer, Layers: 3, SequenceMeasure: seen, Eps: device.DefaultEps,
				Relative: device.DefaultRelative}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := counts.Merge(none); err != nil {
		t.Fatal(err)
	}
	restored := NewAVSS(Options{})
	if err := restored.UnmarshalBinary(marshal(t, counts)); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*AVSS{none, counts, restored} {
		if _, err := a.Of(Robust, SiteMLP, 0); err == nil || !strings.Contains(err.Error(),
			"layer 0: site mlp: relative values near zero were not counted") {
			t.Errorf("site mlp: error %v", err)
		}
		if _, err := a.Of(Robust, SiteAttn, 0); err != nil {
			t.Errorf("site attn: %v", err)
		}
		if _, err := a.Of(Paper, SiteMLP, device.DefaultEps[3]); err != nil {
			t.Errorf("mode paper: %v", err)
		}
		if s, err := a.Summary(0, device.SiteMLP); err != nil || s.RelativeBelow != -1 || !math.IsNaN(float64(s.RelativeSparsity)) {
			t.Errorf("summary %+v, error %v", s, err)
		}
	}
}

func TestRobustKnowsNoScale(t *testing.T) {
	sequences := randomSequences(7, 6, 5)
	grown := randomSequences(7, 6, 5)
	for i := range grown {
		for _, stream := range [][][][]float64{grown[i].residual, grown[i].attn, grown[i].act} {
			for l := range stream {
				for t := range stream[l] {
					for c := range stream[l][t] {
						stream[l][t][c] *= 1024
					}
				}
			}
		}
	}
	a, b := NewAVSS(testOptions(0)), NewAVSS(testOptions(0))
	if err := walk(sequences, a); err != nil {
		t.Fatal(err)
	}
	if err := walk(grown, b); err != nil {
		t.Fatal(err)
	}
	for _, site := range sites {
		x, err := a.Of(Robust, site, 0)
		if err != nil {
			t.Fatal(err)
		}
		y, err := b.Of(Robust, site, 0)
		if err != nil {
			t.Fatal(err)
		}
		for l := range x.Values {
			near(t, "robust at "+string(site), y.Values[l], x.Values[l], 1e-12)
		}
	}
}

func TestChoicesThatWereNotMeasured(t *testing.T) {
	a := profile(t, 100, []float64{3, 1}, []int64{10, 5})
	for want, f := range map[string]func() (Scores, error){
		"below 0.5 were not counted":                      func() (Scores, error) { return a.Of(Paper, SiteBlock, 0.5) },
		"only measured where a batch size is set":         func() (Scores, error) { return a.Of(Reference, SiteBlock, 0) },
		"layer 0: site mlp: no activations were measured": func() (Scores, error) { return a.Of(Robust, SiteMLP, 0) },
		`mode "other" is unknown: want robust, paper or`:  func() (Scores, error) { return a.Of("other", SiteMLP, 0) },
		`site "head" is unknown: want delta, block`:       func() (Scores, error) { return a.Of(Robust, "head", 0) },
		"thresholds [0.1] and 0.01, before [1e-05] and 0.01": func() (Scores, error) {
			return Scores{}, a.Observe(&engine.Measurement{Layers: 2, Sequence: 1, Eps: []float32{0.1}, Relative: 1e-2})
		},
		"layer 7 of 2 does not exist": func() (Scores, error) {
			return Scores{}, a.Observe(&engine.Measurement{Layer: 7, Layers: 2, Sequence: 1, Eps: []float32{PaperEps}, Relative: 1e-2})
		},
		`site "others" is unknown: want delta, block, attn, mlp`: func() (Scores, error) { _, err := ParseSite("others"); return Scores{}, err },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, site := range sites {
		if got, err := ParseSite(string(site)); err != nil || got != site {
			t.Errorf("site %s reads as %v, %v", site, got, err)
		}
	}
}
