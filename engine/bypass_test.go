package engine_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"avssnative/engine"

	"github.com/google/go-cmp/cmp"
)

// bridged is a repair with a bypass of some layers, all of one matrix.
func bridged(t *testing.T, m *engine.Model, matrix []float32, layers ...int) *engine.Repair {
	t.Helper()
	r := m.NewRepair()
	for _, l := range layers {
		if err := r.Bypass(l, matrix); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// Variants that step over layers by matrices score together as each does alone, whatever the others do with the layer; zeros are the plain cut; and
// the matrix that maps the stream in front of a layer to what it adds, which the streams give, brings the model nearer to the dense one.
func TestBypassesWalkedTogetherEqualThemAlone(t *testing.T) {
	for _, on := range devices() {
		m := open(t, "testdata/architectures/llama", on)
		hidden := m.Spec.Hidden
		zeros, drawn := make([]float32, hidden*hidden), make([]float32, hidden*hidden)
		random := rand.New(rand.NewPCG(1, 2))
		for i := range drawn {
			drawn[i] = float32(random.NormFloat64()) / 16
		}
		one := bridged(t, m, drawn, 1)
		both := m.NewRepair()
		both.And(one)
		both.And(bridged(t, m, drawn, 2))
		drops := []engine.Drop{nil, engine.Layers(1), engine.Layers(1), engine.Layers(1, 2), engine.Layers(1),
			engine.Layers(0, 1), engine.Layers(2), engine.Layers(1, 2)}
		repairs := []*engine.Repair{nil, nil, one, both, bridged(t, m, zeros, 1), one, both, one}
		for _, memory := range []int64{0, 1} {
			together := run(t, m, engine.Pass{Sequences: mixed(), Variants: drops, Repairs: repairs, Memory: memory})
			for v, drop := range drops {
				alone := run(t, m, engine.Pass{Sequences: mixed(), Variants: []engine.Drop{drop}, Repairs: repairs[v : v+1]})
				if difference := cmp.Diff(alone.Scores[0], together.Scores[v]); difference != "" {
					t.Errorf("%s, memory %d: variant %d (- alone, + together):\n%s", on, memory, v, difference)
				}
			}
			if difference := cmp.Diff(together.Scores[1], together.Scores[4]); difference != "" {
				t.Errorf("%s: a bypass of zeros (- plain, + bypass):\n%s", on, difference)
			}
			if cmp.Equal(together.Scores[1], together.Scores[2]) {
				t.Errorf("%s: a bypass changes nothing", on)
			}
		}
		first, further := bridged(t, m, drawn, 0), bridged(t, m, drawn, 2)
		further.And(first)
		of := func(other *engine.Repair) *engine.Outcome {
			return run(t, m, engine.Pass{Sequences: mixed(), Variants: []engine.Drop{engine.Layers(0), engine.Layers(0, 2)},
				Repairs: []*engine.Repair{first, other}})
		}
		shared, apart := of(further), of(bridged(t, m, drawn, 0, 2))
		if !cmp.Equal(shared.Scores, apart.Scores) || shared.Blocks != 2 || apart.Blocks != 3 {
			t.Errorf("%s: %d blocks where a bypass is shared, %d where it is not, want 2 and 3, and the same scores", on, shared.Blocks, apart.Blocks)
		}
		if one.Fingerprint() == both.Fingerprint() || one.Fingerprint() == "" {
			t.Errorf("%s: fingerprints %q and %q", on, one.Fingerprint(), both.Fingerprint())
		}
		for layer, matrix := range map[int][]float32{-1: zeros, m.Layers(): zeros, 0: zeros[1:]} {
			if err := m.NewRepair().Bypass(layer, matrix); err == nil {
				t.Errorf("a bypass of layer %d with %d values was taken", layer, len(matrix))
			}
		}
	}
}

// The sums of a gap are those of the rows that a trace of the dense model shows, each relative to its size in front of the gap.
func TestStreamsSumWhatATraceShows(t *testing.T) {
	m := open(t, "testdata/architectures/llama", "cpu")
	sequences := []engine.Sequence{{IDs: []int32{3, 1, 4, 1, 5}}, {IDs: []int32{9, 2, 6}}}
	depths := map[string][]float32{}
	run(t, m, engine.Pass{Sequences: sequences, Trace: func(tensor engine.TraceTensor) error {
		depths[tensor.Name] = append(depths[tensor.Name], tensor.Values...)
		return nil
	}})
	streams, err := m.Streams(t.Context(), sequences, nil)
	if err != nil {
		t.Fatal(err)
	}
	hidden := m.Spec.Hidden
	for _, gap := range []struct {
		from, to    int
		front, back string
	}{{0, 1, "embed", "block.0"}, {1, 3, "block.0", "block.2"}} {
		got, err := streams.Gap(gap.from, gap.to)
		if err != nil {
			t.Fatal(err)
		}
		xx, ex := make([]float64, hidden*hidden), make([]float64, hidden*hidden)
		x, y := depths[gap.front], depths[gap.back]
		for row := 0; row < len(x); row += hidden {
			size := 0.0
			for _, v := range x[row : row+hidden] {
				size += float64(v) * float64(v) / float64(hidden)
			}
			for i := range hidden {
				for j := range hidden {
					xx[i*hidden+j] += float64(x[row+i]) * float64(x[row+j]) / size
					ex[i*hidden+j] += float64(y[row+i]-x[row+i]) * float64(x[row+j]) / size
				}
			}
		}
		if got.Rows != 8 || !near(got.XX, xx) || !near(got.EX, ex) {
			t.Errorf("layers %d to %d: other sums than of the rows of a trace", gap.from, gap.to-1)
		}
	}
	for _, gap := range [][2]int{{-1, 1}, {1, 1}, {0, m.Layers() + 1}} {
		if _, err := streams.Gap(gap[0], gap[1]); err == nil {
			t.Errorf("a gap %v was taken", gap)
		}
	}
}

// A first variant whose last stream is known is scored, and compared with, as if it had been walked, alone or in several walks.
func TestKnownStreamsChangeNothing(t *testing.T) {
	for _, on := range devices() {
		m := open(t, "testdata/architectures/llama", on)
		sequences := []engine.Sequence{{IDs: []int32{3, 1, 4, 1, 5}, ScoreFrom: 1, ScoreTo: 5}, {IDs: []int32{8, 8}},
			{IDs: []int32{9, 2, 6}, ScoreFrom: 2, ScoreTo: 3}}
		streams, err := m.Streams(t.Context(), sequences, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, drops := range [][]engine.Drop{{nil, engine.Layers(1), engine.Layers(2), engine.Layers(0)}, {nil}} {
			for _, memory := range []int64{0, 1} {
				p := engine.Pass{Sequences: sequences, Variants: drops, Diverge: len(drops) > 1, Memory: memory}
				want := run(t, m, p)
				p.Known = streams.Last()
				got := run(t, m, p)
				exact := cmp.Comparer(func(a, b float64) bool { // the streams are float32, which device reference is not
					return a == b || on == "reference" && math.Abs(a-b) < 1e-5*(1+math.Abs(a))
				})
				if difference := cmp.Diff(want.Scores, got.Scores, exact); difference != "" {
					t.Errorf("%s, memory %d: (- walked, + known):\n%s", on, memory, difference)
				}
				if got.Blocks >= want.Blocks {
					t.Errorf("%s, memory %d: %d blocks, %d where the stream is not known", on, memory, got.Blocks, want.Blocks)
				}
			}
		}
		p := engine.Pass{Sequences: sequences, Known: streams.Last()[1:]}
		if _, err := m.Run(t.Context(), p); err == nil {
			t.Error("a known stream of too few sequences was taken")
		}
		p.Known = [][]float32{streams.Last()[0], streams.Last()[1], streams.Last()[0]}
		if _, err := m.Run(t.Context(), p); err == nil {
			t.Error("a known stream of too many rows was taken")
		}
	}
}

// near says whether sums of float32 values over a few rows agree to the rounding of those.
func near(got, want []float64) bool {
	largest := 0.0
	for _, w := range want {
		largest = max(largest, w, -w)
	}
	for i, w := range want {
		if d := got[i] - w; d > 1e-5*largest || d < -1e-5*largest {
			return false
		}
	}
	return len(got) == len(want)
}
