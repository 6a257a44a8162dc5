package engine_test

import (
	"cmp"
	"context"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/weights"
)

// leaving is the stream behind the last layer of a variant, [rows × hidden].
func leaving(t *testing.T, m *engine.Model, sequences []engine.Sequence, drop engine.Drop, r *engine.Repair) []float64 {
	t.Helper()
	var values []float64
	p := engine.Pass{Sequences: sequences, Variants: []engine.Drop{drop}, Repairs: []*engine.Repair{r}}
	last := m.Layers() - 1
	for slices.Contains(drop, engine.Unit{Layer: last}) {
		last--
	}
	p.Trace = func(s engine.TraceTensor) error {
		if s.Name == "block."+string(rune('0'+last)) {
			for _, v := range s.Values {
				values = append(values, float64(v))
			}
		}
		return nil
	}
	run(t, m, p)
	return values
}

// wide are the values of a stored reference in float64.
func wide(t *testing.T, from weights.Tensors, ref *arch.Ref) []float64 {
	t.Helper()
	w, err := ref.Matrix(from)
	if err != nil {
		t.Fatal(err)
	}
	row, all := make([]float32, w.In), make([]float64, 0, w.In*w.Out)
	for i := range w.Out {
		if err := w.Float32s(row, i); err != nil {
			t.Fatal(err)
		}
		for _, v := range row {
			all = append(all, float64(v))
		}
	}
	return all
}

func times(matrix, x []float64) []float64 {
	y := make([]float64, len(matrix)/len(x))
	for o := range y {
		for i, v := range x {
			y[o] += matrix[o*len(x)+i] * v
		}
	}
	return y
}

// twin is one expert's rows by hand: its weighted inputs, and which rows they are of.
type twin struct {
	expert int
	rows   []int
	g      []float64
	act    [][]float64
}

// sent routes rows in front of Mixtral's mixture by hand: softmax over all, the two largest, their weights made to sum to one.
func sent(t *testing.T, m *engine.Model, block *arch.BlockSpec, mid []float64) []*twin {
	t.Helper()
	e, hidden := block.MLP.(*arch.ExpertsSpec), m.Spec.Hidden
	gains, err := block.Norm2.Weight.Values(m.Tensors)
	if err != nil {
		t.Fatal(err)
	}
	router := wide(t, m.Tensors, &e.Router.Weight)
	twins := make([]*twin, len(e.Experts))
	for i := range twins {
		twins[i] = &twin{expert: i}
	}
	for row := range len(mid) / hidden {
		square, x := 0.0, make([]float64, hidden)
		for i := range x {
			x[i] = mid[row*hidden+i]
			square += x[i] * x[i] / float64(hidden)
		}
		for i := range x {
			x[i] *= float64(gains[i]) / math.Sqrt(square+float64(block.Norm2.Eps))
		}
		logits := times(router, x)
		order := make([]int, len(logits))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(logits[b], logits[a]) })
		first, second := math.Exp(logits[order[0]]), math.Exp(logits[order[1]])
		for rank, g := range []float64{first / (first + second), second / (first + second)} {
			at := order[rank]
			gate, up := times(wide(t, m.Tensors, &e.Experts[at].Gate.Weight), x), times(wide(t, m.Tensors, &e.Experts[at].Up.Weight), x)
			for i, v := range gate {
				up[i] *= v / (1 + math.Exp(-v))
			}
			twins[at].rows, twins[at].g, twins[at].act = append(twins[at].rows, row), append(twins[at].g, g), append(twins[at].act, up)
		}
	}
	slices.SortStableFunc(twins, func(a, b *twin) int { return cmp.Compare(len(b.rows), len(a.rows)) })
	return twins
}

// sums are a twin's normal equations: Σ x xᵀ and Σ e xᵀ over x = g·act/s and e = lacks/s, s the size of the dense row.
func (w *twin) sums(lacks, sizes []float64, hidden int) (xx, ex []float64) {
	in := len(w.act[0])
	xx, ex = make([]float64, in*in), make([]float64, hidden*in)
	for at, row := range w.rows {
		by := w.g[at] / sizes[row]
		for i, v := range w.act[at] {
			for k, u := range w.act[at] {
				xx[i*in+k] += by * by * v * u
			}
			for o := range hidden {
				ex[o*in+i] += by * v * lacks[row*hidden+o] / sizes[row]
			}
		}
	}
	return xx, ex
}

// The sums that each expert of a mixture is fitted from are those of the rows that the router sends to it, weighted, and of what these lack once the
// experts before it have made up their part; by hand in float64.
func TestFitOfExpertsByHand(t *testing.T) {
	for _, on := range []string{"reference", "cpu"} {
		m := open(t, "testdata/architectures/mixtral", on)
		var sequences []engine.Sequence
		for i := range uint64(6) {
			sequences = append(sequences, engine.Sequence{IDs: random(i, 30, 97)})
		}
		drop, hidden := engine.Layers(1), m.Spec.Hidden
		type given struct{ xx, ex []float64 }
		var got []given
		r, err := m.Fit(t.Context(), engine.Fit{Sequences: sequences, Drop: drop, Solve: func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
			if !l.Expert || l.Layer != 2 {
				return nil, nil
			}
			sum := given{slices.Clone(l.Sums.XX), slices.Clone(l.Sums.EX)}
			for i, v := range l.Held.XX {
				sum.xx[i] += v
			}
			for i, v := range l.Held.EX {
				sum.ex[i] += v
			}
			got = append(got, sum)
			changed := slices.Clone(l.Weight)
			for i := range changed {
				changed[i] *= 1.5
			}
			return &engine.Solution{Weight: changed}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		block := &m.Spec.Blocks[2]
		dense, lacks := leaving(t, m, sequences, nil, nil), leaving(t, m, sequences, drop, nil)
		mid := leaving(t, m, sequences, append(slices.Clone(drop), engine.Unit{Layer: 2, Part: engine.MLP}), nil)
		sizes := make([]float64, len(dense)/hidden)
		for i, v := range dense {
			lacks[i] = v - lacks[i]
			sizes[i/hidden] += v * v / float64(hidden)
		}
		for i, v := range sizes {
			sizes[i] = math.Sqrt(v)
		}
		twins := sent(t, m, block, mid)
		if len(got) != len(twins) {
			t.Fatalf("%s: %d experts were given, want %d", on, len(got), len(twins))
		}
		for n, w := range twins {
			xx, ex := w.sums(lacks, sizes, hidden)
			// Float32 streams and products of 48 terms: a thousandth of the largest sum is far above both, and far below a wrong row or weight.
			for name, pair := range map[string][2][]float64{"Σ x xᵀ": {got[n].xx, xx}, "Σ e xᵀ": {got[n].ex, ex}} {
				size := slices.MaxFunc(pair[1], func(a, b float64) int { return cmp.Compare(math.Abs(a), math.Abs(b)) })
				for i, v := range pair[1] {
					if off := math.Abs(pair[0][i] - v); off > 1e-3*math.Abs(size) {
						t.Fatalf("%s: expert %d of %d rows: %s, value %d: %g, by hand %g", on, w.expert, len(w.rows), name, i, pair[0][i], v)
					}
				}
			}
			down := &block.MLP.(*arch.ExpertsSpec).Experts[w.expert].Down.Weight
			before, after := wide(t, m.Tensors, down), wide(t, m.Repaired(r).Tensors, down)
			for i := range after {
				after[i] -= before[i]
			}
			for at, row := range w.rows {
				for o, v := range times(after, w.act[at]) {
					lacks[row*hidden+o] -= w.g[at] * v
				}
			}
		}
	}
}

// However a mixture is stored and routed, what is taken off the rows' lacks is what the changed experts compute, and experts that are not solved keep
// their bytes: with every expert given every row, the last one's lacks are those of the model as it has become.
func TestFitOfExpertsKeepsCount(t *testing.T) {
	for _, name := range []string{"deepseek-v2", "deepseek-v3", "glm4-moe", "gpt-oss", "granite-moe", "llama4", "mixtral", "olmoe", "phimoe", "qwen3-5-moe",
		"qwen3-moe", "qwen3-next"} {
		t.Run(name, func(t *testing.T) {
			m := open(t, filepath.Join("testdata/architectures", name), "cpu")
			last := m.Layers() - 1
			for last > 0 {
				if _, mixed := m.Spec.Blocks[last].MLP.(*arch.ExpertsSpec); mixed {
					break
				}
				last--
			}
			block := &m.Spec.Blocks[last]
			e := block.MLP.(*arch.ExpertsSpec)
			e.Routing.Top, e.Routing.Groups = len(e.Experts), 0
			members := len(e.Experts)
			if e.Shared != nil {
				members++
			}
			var sequences []engine.Sequence
			for i := range uint64(4) {
				sequences = append(sequences, engine.Sequence{IDs: random(i, 24, 90)})
			}
			drop := engine.Layers(last - 1)
			for l := last + 1; l < m.Layers(); l++ {
				drop = append(drop, engine.Unit{Layer: l})
			}
			given, lack := 0, 0.0
			r, err := m.Fit(t.Context(), engine.Fit{Sequences: sequences, Drop: drop, Solve: func(_ context.Context, l *engine.LinearFit) (*engine.Solution, error) {
				if !l.Expert || l.Layer != last {
					return nil, nil
				}
				if given++; given == members {
					lack = l.Sums.EE + l.Held.EE
					return nil, nil
				}
				s := &engine.Solution{Weight: slices.Clone(l.Weight)}
				for i := range s.Weight {
					s.Weight[i] *= 3
				}
				for _, v := range l.Bias {
					s.Bias = append(s.Bias, 2*v+0.5)
				}
				return s, nil
			}})
			if err != nil || given != members {
				t.Fatalf("%d of %d experts were given: %v", given, members, err)
			}
			dense, now, before := leaving(t, m, sequences, nil, nil), leaving(t, m, sequences, drop, r), leaving(t, m, sequences, drop, nil)
			residual := 1.0
			if block.Residual != 0 {
				residual = float64(block.Residual)
			}
			remain, was := 0.0, 0.0
			for row := 0; row < len(now); row += m.Spec.Hidden {
				size, off, earlier := 0.0, 0.0, 0.0
				for i := row; i < row+m.Spec.Hidden; i++ {
					size += dense[i] * dense[i] / float64(m.Spec.Hidden)
					off += (dense[i] - now[i]) * (dense[i] - now[i]) / residual / residual
					earlier += (dense[i] - before[i]) * (dense[i] - before[i]) / residual / residual
				}
				remain, was = remain+off/size, was+earlier/size
			}
			// Sums of squares of float32 values that have been through a layer.
			if math.Abs(lack-remain) > 1e-4*remain || math.Abs(remain-was) < 1e-3*was {
				t.Errorf("the last expert's rows lack %g, those of the model as it is %g, before any was changed %g", lack, remain, was)
			}
			same := 0
			for i := range e.Experts {
				down := &e.Experts[i].Down.Weight
				if slices.Equal(wide(t, m.Tensors, down), wide(t, m.Repaired(r).Tensors, down)) {
					same++
				}
			}
			want := 1 // rows being equally many, the last one is the shared one where there is one
			if e.Shared != nil {
				want = 0
			}
			if same != want {
				t.Errorf("%d experts keep their weights, want %d", same, want)
			}
			for _, name := range r.Names() {
				was, _ := m.Tensors.Lookup(name)
				if now := r.Stored(name); now.Type != was.Type || len(now.Data) != len(was.Data) {
					t.Errorf("%s: %d bytes of %s, were %d of %s", name, len(now.Data), now.Type, len(was.Data), was.Type)
				}
			}
		})
	}
}
