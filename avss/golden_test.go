package avss

// Every metric against values computed slowly in float64 by an independent program (testdata/metrics, from tools/make_metrics.py of the shared
// references) on three trained models; the token ids are in the files.
//
// Tolerances: device "reference" computes in float64, but the other program's rotary angles were float32, wrong by 2^-24 of up to 96 radians
// (6e-6), which reaches the attention's scores; its own residual stream is kept in float32 between blocks. Float32 devices: 1e-4
// relative on sums and 1e-3 on scores. A count of values below a threshold may differ by those that lie within rounding of it: errors
// of 1e-5 of a threshold of 1e-2 are 0.1 per cent of the count, twice that and a few more are let pass; scores follow their counts.

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/internal/need"

	"avssnative/engine/device"
	"github.com/google/go-cmp/cmp"
)

type goldenSite struct {
	N                 int64
	Mean, Variance    float64
	Min, Max          float64
	RMS               float64
	MeanAbs           float64 `json:"mean_abs"`
	Kurtosis          float64
	Below             []int64
	RelativeVariance  float64 `json:"relative_variance"`
	RelativeNear      int64   `json:"relative_near"`
	RelativeSparsity  float64 `json:"relative_sparsity"`
	Robust            float64 `json:"avss_robust"`
	ReferenceVariance float64 `json:"reference_variance"`
	ReferenceSparsity float64 `json:"reference_sparsity"`
}

type golden struct {
	Sequences  [][]int32
	Epsilons   []float32
	Relative   float32 `json:"epsilon_relative"`
	Batch      int
	Sites      map[string][]goldenSite
	Layers     int
	BI         []float64
	RelMag     []float64
	L2         []float64
	Angular    [][]*float64
	NLL        float64
	RemovalNLL []float64 `json:"removal_nll"`
	RemovalKL  []float64 `json:"removal_kl"`
	SameTop    []float64 `json:"removal_same_top"`
	Greedy     []int
	GreedyNLL  []float64 `json:"greedy_nll"`
}

// tolerance is relative, with a floor for values that cancel to nearly nothing.
type tolerance struct{ sum, score, angle float64 }

func counts(count int64) float64 { return 4 + 0.002*float64(count) }

func readGolden(t *testing.T, name string) (g golden) {
	data, err := os.ReadFile(filepath.Join("testdata", "metrics", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *golden) pass() engine.Pass {
	p := engine.Pass{Eps: g.Epsilons, Relative: g.Relative}
	for _, ids := range g.Sequences {
		p.Sequences = append(p.Sequences, engine.Sequence{IDs: ids, ScoreFrom: 1, ScoreTo: len(ids)})
	}
	return p
}

func openModel(t *testing.T, name, on string) *engine.Model {
	if !slices.Contains(device.Kinds(), on) {
		need.Missing(t, "device "+on)
	}
	folder := filepath.Join(need.Root(), "internal", "demo", "model")
	if name != "tiny16" {
		folder = need.Data(t, "models/"+name)
	}
	m, err := engine.Open(context.Background(), folder, engine.Options{Device: on})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

var goldenModels = []string{"tiny16", "stories260K-hf", "babyllama-tok361-hf"}

// onGoldens runs a check on every model and device. Only the smallest model is quick enough on "reference", above all where the race
// detector watches it.
func onGoldens(t *testing.T, check func(*testing.T, *engine.Model, *golden, tolerance)) {
	for _, name := range goldenModels {
		for on, tol := range map[string]tolerance{
			"reference": {sum: 1e-5, score: 1e-4, angle: 1e-5},
			"cpu":       {sum: 1e-4, score: 1e-3, angle: 1e-4},
		} {
			if on == "reference" && name != "stories260K-hf" {
				continue
			}
			t.Run(name+"/"+on, func(t *testing.T) {
				g := readGolden(t, name)
				check(t, openModel(t, name, on), &g, tol)
			})
		}
	}
}

func approximately(t *testing.T, what string, layer int, got, want, relative, floor float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)+floor) {
		t.Errorf("%s: layer %d: %v, want %v", what, layer, got, want)
	}
}

func TestGoldenActivationMetrics(t *testing.T) {
	onGoldens(t, func(t *testing.T, m *engine.Model, g *golden, tol tolerance) {
		metrics := everyMetric(0)
		p := g.pass()
		for i, metric := range metrics {
			if metric.Name() == "avss" {
				o := Options{}
				o.Batch = g.Batch
				metrics[i] = NewAVSS(o)
			}
			p.Observe = append(p.Observe, metrics[i])
		}
		if _, err := m.Run(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		for _, metric := range metrics {
			s := scoresOf(t, metric)
			var want []float64
			floor := 0.0
			switch metric.Name() {
			case "avss":
				checkAVSS(t, metric.(*AVSS), g, tol)
				continue
			case "angular":
				checkAngles(t, s.Distance, g, tol)
				continue
			case "bi":
				// 1 − cos: the cosine's own error.
				want, floor = g.BI, tol.sum
			case "relmag":
				want = g.RelMag
			case "l2":
				want = g.L2
			}
			for l := range want {
				approximately(t, metric.Name(), l, s.Values[l], want[l], tol.sum, floor*1e-3)
			}
			if diff := cmp.Diff(Ranking(want), s.Ranking()); diff != "" {
				t.Errorf("%s: order %s", metric.Name(), diff)
			}
		}
	})
}

func checkAngles(t *testing.T, matrix []Values, g *golden, tol tolerance) {
	for start := range g.Angular {
		for end, want := range g.Angular[start] {
			if want != nil {
				approximately(t, "angular", start, matrix[start][end], *want, 0, tol.angle)
			}
		}
	}
}

func checkAVSS(t *testing.T, a *AVSS, g *golden, tol tolerance) {
	for place := range device.Sites {
		site := Site(place.String())
		robust, err := a.Of(Robust, site, 0)
		if err != nil {
			t.Fatal(err)
		}
		reference, err := a.Of(Reference, site, g.Epsilons[0])
		if err != nil {
			t.Fatal(err)
		}
		paper, err := a.Of(Paper, site, g.Epsilons[3])
		if err != nil {
			t.Fatal(err)
		}
		var wantRobust []float64
		for l, want := range g.Sites[string(site)] {
			s, err := a.Summary(l, place)
			if err != nil {
				t.Fatal(err)
			}
			name := string(site)
			approximately(t, name+" n", l, float64(s.N), float64(want.N), 0, 0)
			approximately(t, name+" mean", l, float64(s.Mean), want.Mean, tol.sum, tol.sum*want.MeanAbs)
			approximately(t, name+" variance", l, float64(s.Variance), want.Variance, tol.sum, 0)
			approximately(t, name+" min", l, float64(s.Min), want.Min, tol.sum, 0)
			approximately(t, name+" max", l, float64(s.Max), want.Max, tol.sum, 0)
			approximately(t, name+" rms", l, float64(s.RMS), want.RMS, tol.sum, 0)
			approximately(t, name+" mean abs", l, float64(s.MeanAbs), want.MeanAbs, tol.sum, 0)
			approximately(t, name+" kurtosis", l, float64(s.Kurtosis), want.Kurtosis, 10*tol.sum, 0)
			approximately(t, name+" relative variance", l, float64(s.RelativeVariance), want.RelativeVariance, tol.sum, 0)
			approximately(t, name+" relative near", l, float64(s.RelativeBelow), float64(want.RelativeNear), 0, counts(want.RelativeNear))
			for i, below := range want.Below {
				approximately(t, name+" below", l, float64(s.Below[i]), float64(below), 0, counts(below))
			}
			// A count that is off by some moves the score by as many parts of the count.
			off := func(count int64) float64 { return tol.score + 1.1*counts(count)/float64(count) }
			approximately(t, name+" robust", l, robust.Values[l], want.Robust, off(want.RelativeNear), 0)
			if count := want.Below[3]; count > 10 {
				approximately(t, name+" paper", l, paper.Values[l], want.Variance*float64(want.N)/float64(count), off(count), 0)
			}
			if count := want.Below[0]; count > 10 {
				approximately(t, name+" reference", l, reference.Values[l], want.ReferenceVariance/want.ReferenceSparsity, off(count), 0)
			}
			if infinite := math.IsInf(reference.Values[l], 1); infinite != (s.Below[0] == 0) {
				t.Errorf("%s reference: layer %d: %v with %d values below", name, l, reference.Values[l], s.Below[0])
			}
			variance, _, err := a.moments.cells[l][place].batchMeans(g.Batch, 0)
			if err != nil {
				t.Fatal(err)
			}
			approximately(t, name+" reference variance", l, float64(round(variance)), want.ReferenceVariance, tol.sum, 0)
			wantRobust = append(wantRobust, want.Robust)
		}
		if diff := cmp.Diff(Ranking(wantRobust), robust.Ranking()); diff != "" {
			t.Errorf("robust at %s: order %s", site, diff)
		}
	}
}

func TestGoldenRemoval(t *testing.T) {
	onGoldens(t, func(t *testing.T, m *engine.Model, g *golden, tol tolerance) {
		l, err := MeasureRemoval(context.Background(), m, g.pass(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		dense, loss, err := l.Loss()
		if err != nil {
			t.Fatal(err)
		}
		kl, err := l.KL()
		if err != nil {
			t.Fatal(err)
		}
		ppl, err := l.PPL()
		if err != nil {
			t.Fatal(err)
		}
		same, err := l.SameTop()
		if err != nil {
			t.Fatal(err)
		}
		approximately(t, "dense loss", -1, dense, g.NLL, tol.sum, 0)
		tokens := 0
		for _, ids := range g.Sequences {
			tokens += len(ids) - 1
		}
		for i := range loss {
			approximately(t, "loss", i, loss[i], g.RemovalNLL[i], tol.sum, 0)
			approximately(t, "ppl", i, ppl.Values[i], math.Exp(g.RemovalNLL[i]), tol.score, 0)
			approximately(t, "kl", i, kl.Values[i], g.RemovalKL[i], tol.score, 0)
			// A token whose two best successors are as likely as one another within rounding may change sides.
			approximately(t, "same top", i, same[i], g.SameTop[i], 1e-12, 2/float64(tokens))
		}
		for what, pair := range map[string][2][]float64{"ppl": {g.RemovalNLL, ppl.Values}, "kl": {g.RemovalKL, kl.Values}} {
			if diff := cmp.Diff(Ranking(pair[0]), Ranking(pair[1])); diff != "" {
				t.Errorf("%s: order %s", what, diff)
			}
		}
	})
}

func TestGoldenGreedy(t *testing.T) {
	onGoldens(t, func(t *testing.T, m *engine.Model, g *golden, tol tolerance) {
		found, err := MeasureGreedy(context.Background(), m, g.pass(), len(g.Greedy), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g.Greedy, found.Order); diff != "" {
			t.Errorf("order %s", diff)
		}
		for i, want := range g.GreedyNLL {
			approximately(t, "loss of round", i, found.Losses[i], want, tol.sum, 0)
		}
		approximately(t, "dense loss", -1, found.Dense, g.NLL, tol.sum, 0)
		t.Logf("%d blocks computed, %d one by one", found.Blocks, found.Alone)
	})
}
