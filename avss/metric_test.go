package avss

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"avssnative/engine"

	"avssnative/engine/device"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var sameBits = cmp.Options{
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
	cmp.Comparer(func(a, b Value) bool { return math.Float64bits(float64(a)) == math.Float64bits(float64(b)) }),
}

func marshal(t interface{ Fatal(...any) }, m Metric) []byte {
	data, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func scoresOf(t interface{ Fatal(...any) }, m Metric) Scores {
	s, err := m.Scores()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Cut into any shards, each measured on its own, saved, loaded and merged in any order: the same bytes and the same scores as in one run.
func TestAnySplitGivesTheSameBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "sequences")
		sequences := randomSequences(rapid.Uint64().Draw(t, "seed"), n, 3)
		whole := everyMetric(0)
		if err := walk(sequences, whole...); err != nil {
			t.Fatal(err)
		}
		cuts := []int{0, n}
		for range rapid.IntRange(0, 4).Draw(t, "cuts") {
			cuts = append(cuts, rapid.IntRange(0, n).Draw(t, "cut"))
		}
		slices.Sort(cuts)
		cuts = slices.Compact(cuts)
		joined := everyMetric(0)
		for _, i := range rapid.Permutation(all(len(cuts)-1)).Draw(t, "order") {
			shard := everyMetric(cuts[i])
			if err := walk(sequences[cuts[i]:cuts[i+1]], shard...); err != nil {
				t.Fatal(err)
			}
			for k := range joined {
				loaded, err := Load(marshal(t, shard[k]), testOptions(0))
				if err != nil {
					t.Fatal(err)
				}
				if err := joined[k].Merge(loaded); err != nil {
					t.Fatal(err)
				}
			}
		}
		for k := range whole {
			if !bytes.Equal(marshal(t, whole[k]), marshal(t, joined[k])) {
				t.Fatalf("%s: the merged state differs", whole[k].Name())
			}
			if diff := cmp.Diff(scoresOf(t, whole[k]), scoresOf(t, joined[k]), sameBits); diff != "" {
				t.Fatalf("%s: merged scores differ: %s", whole[k].Name(), diff)
			}
		}
	})
}

// A state saved in the middle of a pass and loaded goes on to the same bytes.
func TestStateGoesOnInTheMiddleOfAPass(t *testing.T) {
	sequences := randomSequences(3, 5, 4)
	whole, first := everyMetric(0), everyMetric(0)
	if err := walk(sequences, whole...); err != nil {
		t.Fatal(err)
	}
	for layer := range 2 {
		if err := walkLayer(sequences, layer, first...); err != nil {
			t.Fatal(err)
		}
	}
	for k := range first {
		if _, err := first[k].Scores(); err == nil || !strings.Contains(err.Error(), "did not end") {
			t.Errorf("%s: scores of half a pass: %v", first[k].Name(), err)
		}
		second, err := Load(marshal(t, first[k]), testOptions(0))
		if err != nil {
			t.Fatal(err)
		}
		for layer := 2; layer < 4; layer++ {
			if err := walkLayer(sequences, layer, second); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(marshal(t, whole[k]), marshal(t, second)) {
			t.Errorf("%s: the state that went on differs", whole[k].Name())
		}
	}
}

// The resamples that are shown are those that the intervals are of.
func TestTheBootstrapIsShown(t *testing.T) {
	o := testOptions(0)
	drawn := map[string][][]float64{}
	o.Drawn = func(key string, scores []float64) { drawn[key] = append(drawn[key], slices.Clone(scores)) }
	m, err := New("bi", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := walk(randomSequences(3, 9, 4), m); err != nil {
		t.Fatal(err)
	}
	scores := scoresOf(t, m)
	if len(drawn) != 1 || len(drawn["bi"]) != o.Resamples {
		t.Fatalf("%d kinds of scores were shown, %d resamples", len(drawn), len(drawn["bi"]))
	}
	for l := range scores.Values {
		var values []float64
		for _, d := range drawn["bi"] {
			values = append(values, d[l])
		}
		slices.Sort(values)
		n := float64(len(values) - 1)
		if low, high := values[int(0.025*n+0.5)], values[int(0.975*n+0.5)]; low != scores.Low[l] || high != scores.High[l] {
			t.Errorf("layer %d: the middle of what was shown is %v to %v, the interval %v to %v", l, low, high, scores.Low[l], scores.High[l])
		}
	}
}

func TestNoOpLayersComeFirst(t *testing.T) {
	sequences := randomSequences(5, 12, 8, 2, 6)
	metrics := everyMetric(0)
	if err := walk(sequences, metrics...); err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics {
		ranking := scoresOf(t, m).Ranking()
		if diff := cmp.Diff([]int{2, 6}, slices.Sorted(slices.Values(ranking[:2]))); diff != "" {
			t.Errorf("%s: the layers that do nothing do not come first: %v", m.Name(), ranking)
		}
	}
	avss := metrics[slices.IndexFunc(metrics, func(m Metric) bool { return m.Name() == "avss" })].(*AVSS)
	for _, mode := range Modes {
		s, err := avss.Of(mode, SiteDelta, 1e-2)
		if err != nil {
			t.Fatal(err)
		}
		if s.Values[2] != 0 || s.Values[6] != 0 {
			t.Errorf("mode %s: layers that add nothing score %v and %v, want 0", mode, s.Values[2], s.Values[6])
		}
	}
}

func TestPairMetricsByDefinition(t *testing.T) {
	sequences := randomSequences(8, 9, 3)
	metrics := everyMetric(0)
	if err := walk(sequences, metrics...); err != nil {
		t.Fatal(err)
	}
	tokens := 0.0
	cosine, relative, distance := make([]float64, 3), make([]float64, 3), make([]float64, 3)
	for i := range sequences {
		tokens += float64(len(sequences[i].residual[0]))
		for l := range 3 {
			p := sequences[i].measure(l, nil, 0).Pairs
			cosine[l] += p.Cosine
			relative[l] += p.Relative
			distance[l] += p.Distance
		}
	}
	for _, m := range metrics {
		for l := range 3 {
			want := map[string]float64{"bi": 1 - cosine[l]/tokens, "relmag": relative[l] / tokens, "l2": distance[l] / tokens}
			if w, ok := want[m.Name()]; ok {
				if got := scoresOf(t, m).Values[l]; math.Abs(got-w) > 1e-12 {
					t.Errorf("%s: layer %d: %v, want %v", m.Name(), l, got, w)
				}
			}
		}
	}
}

func TestWhatIsNoNumberIsNamed(t *testing.T) {
	sequences := randomSequences(4, 3, 3)
	sequences[1].act[1][0][3] = math.NaN()
	sequences[2].act[1][1][0] = math.Inf(-1)
	sequences[2].act[1][1][1] = math.NaN()
	for _, m := range everyMetric(0) {
		err := walk(sequences, m)
		const want = "layer 1: site act: 2 activations are NaN and 1 infinite, among 56 in 2 sequences"
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "avss: "+m.Name()) {
			t.Errorf("%s: %v, want %q", m.Name(), err, want)
		}
	}
	// In the last layer, and through a saved state.
	sequences = randomSequences(4, 3, 3)
	sequences[1].act[2][0][3] = math.NaN()
	for _, m := range everyMetric(0) {
		if err := walk(sequences, m); err != nil {
			t.Fatal(err)
		}
		loaded, err := Load(marshal(t, m), testOptions(0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loaded.Scores(); err == nil || !strings.Contains(err.Error(), "layer 2: site act: 1 activations are NaN") {
			t.Errorf("%s: %v", m.Name(), err)
		}
		if a, ok := loaded.(*AVSS); ok {
			s, err := a.Summary(2, device.SiteAct)
			if err != nil || s.NaN != 1 || s.Inf != 0 || !math.IsNaN(float64(s.Mean)) {
				t.Errorf("summary %+v, %v: want one NaN", s, err)
			}
		}
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	sequences := randomSequences(1, 4, 2)
	deeper := randomSequences(1, 4, 3)
	for k := range everyMetric(0) {
		fill := func(from []sequenceOf, offset int) Metric {
			m := everyMetric(offset)[k]
			if err := walk(from, m); err != nil {
				t.Fatal(err)
			}
			return m
		}
		m := fill(sequences, 0)
		before := marshal(t, m)
		for name, c := range map[string]struct {
			err  error
			want string
		}{
			"overlap": {m.Merge(fill(sequences, 3)), "layer 0: both states hold sequences"},
			"depth":   {m.Merge(fill(deeper, 4)), "2 and 3 layers"},
			"twice":   {walkLayer(sequences, 1, m), ""},
			"metric":  {m.Merge(everyMetric(0)[(k+1)%len(everyMetric(0))]), "does not merge"},
			"empty":   {func() error { _, err := everyMetric(0)[k].Scores(); return err }(), "no sequence"},
		} {
			if c.err == nil || !strings.Contains(c.err.Error(), c.want) || !strings.HasPrefix(c.err.Error(), "avss: "+m.Name()+": ") {
				t.Errorf("%s: %s: %v, want %q", m.Name(), name, c.err, c.want)
			}
		}
		if !bytes.Equal(before, marshal(t, m)) {
			t.Errorf("%s: a refusal changed the state", m.Name())
		}
	}
}

func TestStability(t *testing.T) {
	sequences := randomSequences(9, 70, 6)
	for _, m := range everyMetric(0) {
		if err := walk(sequences, m); err != nil {
			t.Fatal(err)
		}
		s := scoresOf(t, m)
		for l := range s.Values {
			if !(s.Low[l] <= s.Values[l] && s.Values[l] <= s.High[l] && s.Low[l] < s.High[l]) {
				t.Errorf("%s: layer %d: %v is outside its interval %v to %v", m.Name(), l, s.Values[l], s.Low[l], s.High[l])
			}
		}
		// The halves measured by themselves.
		halves := [2]Metric{}
		for h := range halves {
			var own []sequenceOf
			for i := h; i < len(sequences); i += 2 {
				own = append(own, sequences[i])
			}
			halves[h], _ = New(m.Name(), testOptions(0))
			if err := walk(own, halves[h]); err != nil {
				t.Fatal(err)
			}
		}
		want := KendallTau(scoresOf(t, halves[0]).Values, scoresOf(t, halves[1]).Values)
		if math.Abs(float64(s.Tau)-want) > 1e-12 {
			t.Errorf("%s: τ %v, want %v", m.Name(), s.Tau, want)
		}
	}
	one := newMetric(t, "bi")
	if err := walk(sequences[:1], one); err != nil {
		t.Fatal(err)
	}
	if s := scoresOf(t, one); s.Low != nil || !math.IsNaN(float64(s.Tau)) {
		t.Errorf("one sequence has the interval %v and τ %v", s.Low, s.Tau)
	}
}

// newMetric makes a metric for a single run.
func newMetric(t *testing.T, name string) Metric {
	m, err := New(name, testOptions(0))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The cost of a metric beside the pass: one sequence in one layer, and the scores of 32 layers with their 1,000 resamples.
func BenchmarkMetrics(b *testing.B) {
	sequences := randomSequences(1, 64, 32)
	for _, info := range Metrics(Activation) {
		m := info.New(info, Options{})
		if err := walk(sequences, m); err != nil {
			b.Fatal(err)
		}
		data := marshal(b, m)
		b.Run(info.Name+"/scores", func(b *testing.B) {
			for b.Loop() {
				scoresOf(b, m)
			}
			b.ReportMetric(float64(len(data)), "state-bytes")
		})
		next, at := info.New(info, Options{}), 0
		one := sequences[0].measure(0, device.DefaultEps, device.DefaultRelative)
		row := narrow(sequences[0].residual[1][0])
		b.Run(info.Name+"/observe", func(b *testing.B) {
			for b.Loop() {
				err := next.Observe(&engine.Measurement{Layers: 1, Sequence: at, SequenceMeasure: one, Eps: device.DefaultEps, Relative: device.DefaultRelative,
					Input: row, Output: row})
				if at++; err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
