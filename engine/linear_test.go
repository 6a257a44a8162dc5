package engine_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"
)

// mapped is a repair with linear maps of float32 in the place of some layers' attentions, and the matrices, drawn by a seed.
func mapped(t *testing.T, m *engine.Model, seed uint64, layers ...int) (r *engine.Repair, matrices map[int][]float32) {
	t.Helper()
	r, matrices = m.NewRepair(), map[int][]float32{}
	random := rand.New(rand.NewPCG(seed, 2))
	for _, l := range layers {
		matrix := make([]float32, m.Spec.Hidden*m.Spec.Hidden)
		for i := range matrix {
			matrix[i] = float32(random.NormFloat64()) / 16
		}
		matrices[l] = matrix
		setLinear(t, r, l, matrix)
	}
	return r, matrices
}

func setLinear(t *testing.T, r *engine.Repair, layer int, matrix []float32) {
	t.Helper()
	data, err := weights.Encode(device.F32, matrix)
	if err == nil {
		err = r.Linear(layer, weights.Stored{Type: device.F32, Data: data})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// attentions leaves out the attentions of some layers.
func attentions(layers ...int) engine.Drop {
	var units []engine.Unit
	for _, l := range layers {
		units = append(units, engine.Unit{Layer: l, Part: engine.Attention})
	}
	return engine.Units(units...)
}

// A layer whose attention is a linear map computes x' = x + W·norm1(x), y = x' + mlp(norm2(x')), as it comes out by hand in float64.
func TestLinearMapByHand(t *testing.T) {
	m := open(t, "testdata/architectures/llama", "reference")
	r, matrices := mapped(t, m, 1, 1)
	sequences := []engine.Sequence{{IDs: []int32{3, 1, 4, 1, 5}}, {IDs: []int32{9, 2, 6}}}
	depths := map[string][]float32{}
	p := engine.Pass{Sequences: sequences, Variants: []engine.Drop{attentions(1)}, Repairs: []*engine.Repair{r}}
	p.Trace = func(s engine.TraceTensor) error {
		depths[s.Name] = append(depths[s.Name], s.Values...)
		return nil
	}
	run(t, m, p)
	values := func(name string) []float64 {
		stored, found := m.Tensors.Lookup("model.layers.1." + name + ".weight")
		count := 1
		for _, n := range stored.Shape {
			count *= n
		}
		decoded, err := weights.Decode(stored, 0, count)
		if !found || err != nil {
			t.Fatal(name, found, err)
		}
		wide := make([]float64, count)
		for i, v := range decoded {
			wide[i] = float64(v)
		}
		return wide
	}
	times := func(matrix, x []float64) []float64 {
		y := make([]float64, len(matrix)/len(x))
		for o := range y {
			for i, v := range x {
				y[o] += matrix[o*len(x)+i] * v
			}
		}
		return y
	}
	norm := func(x, gains []float64) []float64 {
		square := 0.0
		for _, v := range x {
			square += v * v / float64(len(x))
		}
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = gains[i] * v / math.Sqrt(square+1e-6)
		}
		return y
	}
	wide := make([]float64, len(matrices[1]))
	for i, v := range matrices[1] {
		wide[i] = float64(v)
	}
	hidden, before, after := m.Spec.Hidden, depths["block.0"], depths["block.1"]
	for row := 0; row < len(before); row += hidden {
		x := make([]float64, hidden)
		for i := range x {
			x[i] = float64(before[row+i])
		}
		for i, v := range times(wide, norm(x, values("input_layernorm"))) {
			x[i] += v
		}
		normed := norm(x, values("post_attention_layernorm"))
		gate, up := times(values("mlp.gate_proj"), normed), times(values("mlp.up_proj"), normed)
		for i, v := range gate {
			up[i] *= v / (1 + math.Exp(-v))
		}
		for i, v := range times(values("mlp.down_proj"), up) {
			// Sums of 48 products of float32 operands in float64, rounded to float32 a few times on the way.
			if want := x[i] + v; math.Abs(float64(after[row+i])-want) > 1e-5*(1+math.Abs(want)) {
				t.Fatalf("row %d, column %d: %g, by hand %g", row/hidden, i, after[row+i], want)
			}
		}
	}
}

// Variants with linear maps score together as each does alone, whatever the others do with the layer; zeros are the plain cut; and a model that has
// the maps for its own, which is what is generated from, says the same.
func TestLinearMapsWalkedTogetherEqualThemAlone(t *testing.T) {
	for _, on := range devices() {
		m := open(t, "testdata/architectures/llama", on)
		one, matrices := mapped(t, m, 3, 1)
		two, _ := mapped(t, m, 4, 2)
		two.And(one)
		zeros := m.NewRepair()
		setLinear(t, zeros, 1, make([]float32, len(matrices[1])))
		drops := []engine.Drop{nil, attentions(1), attentions(1), attentions(1, 2), attentions(1), engine.Layers(1), nil, attentions(0, 1),
			engine.Units(engine.Unit{Layer: 1, Part: engine.MLP})}
		repairs := []*engine.Repair{nil, nil, one, two, zeros, one, one, one, one}
		for _, memory := range []int64{0, 1} {
			together := run(t, m, engine.Pass{Sequences: mixed(), Variants: drops, Repairs: repairs, Memory: memory})
			for v, drop := range drops {
				alone := run(t, m, engine.Pass{Sequences: mixed(), Variants: []engine.Drop{drop}, Repairs: repairs[v : v+1]})
				if difference := cmp.Diff(alone.Scores[0], together.Scores[v]); difference != "" {
					t.Errorf("%s, memory %d: variant %d (- alone, + together):\n%s", on, memory, v, difference)
				}
			}
			if cmp.Equal(together.Scores[1], together.Scores[2]) || cmp.Equal(together.Scores[2], together.Scores[3]) {
				t.Errorf("%s: a linear map changes nothing", on)
			}
			if difference := cmp.Diff(together.Scores[0], together.Scores[6]); difference != "" {
				t.Errorf("%s: a map in the place of an attention that stays (- without, + with):\n%s", on, difference)
			}
			if !near64(together.Scores[1][0].LogLikelihood, together.Scores[4][0].LogLikelihood) {
				t.Errorf("%s: a map of zeros: %v, plain %v", on, together.Scores[4][0], together.Scores[1][0])
			}
			own := run(t, m.Repaired(two), engine.Pass{Sequences: mixed(), Variants: []engine.Drop{attentions(1, 2), nil}})
			for i := range own.Scores {
				if difference := cmp.Diff(together.Scores[3], own.Scores[i]); difference != "" {
					t.Errorf("%s: a model of its own, variant %d (- repaired, + own):\n%s", on, i, difference)
				}
			}
		}
		if one.Fingerprint() == two.Fingerprint() || one.Fingerprint() == "" || one.Fingerprint() == zeros.Fingerprint() {
			t.Errorf("%s: fingerprints %q, %q and %q", on, one.Fingerprint(), two.Fingerprint(), zeros.Fingerprint())
		}
	}
}

func near64(a, b float64) bool { return math.Abs(a-b) <= 1e-5*(1+math.Abs(a)) }

// Text goes on from a model with linear maps token by token as a walk over all of it says.
func TestLinearMapsGenerate(t *testing.T) {
	m := open(t, "testdata/architectures/llama", "cpu")
	r, _ := mapped(t, m, 5, 0, 2)
	drop, prompt := attentions(0, 2), []int32{3, 1, 4}
	ids, err := m.Repaired(r).Generate(t.Context(), []engine.Request{{IDs: prompt, Tokens: 6}}, engine.Generating{Drop: drop})
	if err != nil {
		t.Fatal(err)
	}
	all := append(append([]int32{}, prompt...), ids[0]...)
	o := run(t, m, engine.Pass{Sequences: []engine.Sequence{{IDs: all, ScoreFrom: len(prompt), ScoreTo: len(all)}}, Variants: []engine.Drop{drop},
		Repairs: []*engine.Repair{r}})
	if s := o.Scores[0][0]; !s.Greedy() || s.Tokens != 6 {
		t.Errorf("%d of %d tokens are the most likely ones of a walk", s.Hits, s.Tokens)
	}
	if with, without := m.Repaired(r).CacheBytes(nil, 10, 4), m.CacheBytes(drop, 10, 4); with != without || with == 0 {
		t.Errorf("caches of %d bytes with maps, %d without the attentions", with, without)
	}
}

// exactly solves linear maps without a ridge from all rows.
func exactly(t *testing.T, got map[int]*mat.Dense) func(context.Context, *engine.LinearFit) (*engine.Solution, error) {
	return func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		if !l.Linear {
			t.Errorf("layer %d: %s was to be fitted", l.Layer, l.Name)
			return nil, nil
		}
		n := l.Sums.In
		xx, ex := mat.NewDense(n, n, l.Sums.XX), mat.NewDense(n, n, l.Sums.EX)
		if l.Held.Rows > 0 {
			xx.Add(xx, mat.NewDense(n, n, l.Held.XX))
			ex.Add(ex, mat.NewDense(n, n, l.Held.EX))
		}
		var w mat.Dense
		if err := w.Solve(xx.T(), ex.T()); err != nil {
			return nil, err
		}
		got[l.Layer] = mat.DenseCopyOf(w.T())
		solved := &engine.Solution{Weight: make([]float32, n*n)}
		for i := range solved.Weight {
			solved.Weight[i] = float32(got[l.Layer].At(i/n, i%n))
		}
		return solved, nil
	}
}

// A fit finds the linear maps that stand in the place of attentions, all of them in one walk, each behind those found before it.
func TestFitFindsPlantedLinearMaps(t *testing.T) {
	for _, on := range []string{"reference", "cpu"} {
		m := open(t, "testdata/architectures/llama", on)
		planted, matrices := mapped(t, m, 6, 0, 2)
		var sequences []engine.Sequence
		for i := range uint64(8) {
			sequences = append(sequences, engine.Sequence{IDs: random(i, 40, 97)})
		}
		got := map[int]*mat.Dense{}
		r, err := m.Repaired(planted).Fit(t.Context(), engine.Fit{Sequences: sequences, Drop: attentions(0, 2), Linear: true, LinearAlone: true,
			Solve: exactly(t, got)})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || !cmp.Equal(r.Linears(), []int{0, 2}) {
			t.Fatalf("%s: %d maps were fitted, the repair has %v", on, len(got), r.Linears())
		}
		for layer, want := range matrices {
			for i, v := range want {
				if off := math.Abs(got[layer].At(i/m.Spec.Hidden, i%m.Spec.Hidden) - float64(v)); off > 1e-4 {
					t.Fatalf("%s: layer %d, value %d: off by %g of %g", on, layer, i, off, v)
				}
			}
		}
	}
}

// The attention of a token that sees itself alone is linear: its output projection times its values. The fit finds that product.
func TestFitOfSingleTokensIsTheAttention(t *testing.T) {
	m := open(t, "testdata/architectures/llama", "reference")
	var sequences []engine.Sequence
	for id := range int32(97) {
		sequences = append(sequences, engine.Sequence{IDs: []int32{id}})
	}
	got := map[int]*mat.Dense{}
	fit := engine.Fit{Sequences: sequences, Drop: attentions(1), Linear: true, LinearAlone: true, Solve: exactly(t, got)}
	if _, err := m.Fit(t.Context(), fit); err != nil {
		t.Fatal(err)
	}
	a := m.Spec.Blocks[1].Mixer.(*arch.AttentionSpec)
	matrix := func(l *arch.Linear) *mat.Dense {
		w, err := l.Weight.Matrix(m.Tensors)
		if err != nil {
			t.Fatal(err)
		}
		out, row := mat.NewDense(w.Out, w.In, nil), make([]float32, w.In)
		for i := range w.Out {
			if err := w.Float32s(row, i); err != nil {
				t.Fatal(err)
			}
			for k, v := range row {
				out.Set(i, k, float64(v))
			}
		}
		return out
	}
	values := matrix(&a.V)
	repeated := mat.NewDense(a.Heads*a.ValueDim, m.Spec.Hidden, nil) // each query head reads the values of its group
	for i := range a.Heads * a.ValueDim {
		head, at := i/a.ValueDim, i%a.ValueDim
		repeated.SetRow(i, values.RawRowView(head/(a.Heads/a.KVHeads)*a.ValueDim+at))
	}
	var want mat.Dense
	want.Mul(matrix(&a.O), repeated)
	var off mat.Dense
	off.Sub(&want, got[1])
	if worst, size := mat.Max(&off)-mat.Min(&off), mat.Norm(&want, 2)/float64(m.Spec.Hidden); worst > 1e-3*size {
		t.Errorf("off by up to %g, values are %g", worst, size)
	}
}

// What no linear map can stand in the place of is refused.
func TestLinearMapsRefused(t *testing.T) {
	m := open(t, "testdata/architectures/llama", "cpu")
	size := 4 * m.Spec.Hidden * m.Spec.Hidden
	for layer, w := range map[int]weights.Stored{
		-1:         {Type: device.F32, Data: make([]byte, size)},
		m.Layers(): {Type: device.F32, Data: make([]byte, size)},
		0:          {Type: device.F32, Data: make([]byte, size-4)},
		1:          {Type: "FANTASY", Data: make([]byte, size)},
	} {
		if err := m.NewRepair().Linear(layer, w); err == nil {
			t.Errorf("a map of %d bytes of %s in layer %d was taken", len(w.Data), w.Type, layer)
		}
	}
}
