package prune

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"avssnative/engine"
	"avssnative/engine/arch"
	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// added are a model's tensors and some more.
type added struct {
	weights.Tensors
	more  map[string]weights.Stored
	names []string
}

func (a *added) Lookup(name string) (weights.Stored, bool) {
	if s, found := a.more[name]; found {
		return s, true
	}
	return a.Tensors.Lookup(name)
}

func (a *added) Names() []string { return append(slices.Clone(a.Tensors.Names()), a.names...) }

func (a *added) own(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { _, ours := a.more[name]; return ours })
}

func (a *added) Prefetch(names []string) { a.Tensors.Prefetch(a.own(names)) }
func (a *added) Discard(names []string)  { a.Tensors.Discard(a.own(names)) }

func (a *added) add(s weights.Stored) {
	a.more[s.Name] = s
	a.names = append(a.names, s.Name)
}

// upcycled makes mixtures of a model's MLPs in place: every expert is a copy of the MLP, its projections stacked in one tensor (arXiv 2212.05055), and
// the router is drawn at random. Nothing that it computes changes until experts are solved.
func upcycled(t *testing.T, m *engine.Model, experts, top int) {
	t.Helper()
	a := &added{Tensors: m.Tensors, more: map[string]weights.Stored{}}
	m.Tensors = a
	r := rand.New(rand.NewPCG(7, 8))
	for l := range m.Spec.Blocks {
		mlp := m.Spec.Blocks[l].MLP.(*arch.GatedSpec)
		down, _ := a.Tensors.Lookup(mlp.Down.Weight.Name)
		router := make([]float32, experts*m.Spec.Hidden)
		for i := range router {
			router[i] = float32(r.NormFloat64())
		}
		data, err := weights.Encode(device.F32, router)
		if err != nil {
			t.Fatal(err)
		}
		prefix := fmt.Sprintf(m.Spec.BlockPrefix, l)
		a.add(weights.Stored{Name: prefix + "router", Type: device.F32, Shape: []int{experts, m.Spec.Hidden}, Data: data})
		out, in := mlp.Down.Weight.Out, mlp.Down.Weight.In
		stack := weights.Stored{Name: prefix + "experts", Type: down.Type, Shape: []int{experts, out, in}, Data: slices.Repeat(down.Data, experts)}
		a.add(stack)
		e := &arch.ExpertsSpec{Inner: in, Routing: arch.Routing{Score: arch.SoftmaxTop, Top: top}}
		e.Router.Weight = arch.Ref{Name: prefix + "router", Shape: []int{experts, m.Spec.Hidden}, Out: experts, In: m.Spec.Hidden}
		for i := range experts {
			one := *mlp
			one.Down.Weight = arch.Ref{Name: stack.Name, Shape: stack.Shape, Offset: i * out * in, Out: out, In: in}
			e.Experts = append(e.Experts, one)
		}
		m.Spec.Blocks[l].MLP = e
	}
}

// tiny is a random model of this project's and a text for it.
func tiny(t *testing.T, path string, sequences int) (*engine.Model, []engine.Sequence) {
	t.Helper()
	m, err := engine.Open(t.Context(), path, engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	r := rand.New(rand.NewPCG(5, 6))
	text := make([]engine.Sequence, sequences)
	for i := range text {
		for range 40 {
			text[i].IDs = append(text[i].IDs, int32(r.IntN(m.Spec.Vocab)))
		}
	}
	return m, text
}

// withoutExperts is the divergence that is left where a refit leaves experts as they are.
func withoutExperts(t *testing.T, m *engine.Model, drop engine.Drop, o RepairOptions) float64 {
	t.Helper()
	fit := fitOf(drop, RepairRefit, o, begin())
	solve := fit.Solve
	fit.Solve = func(ctx context.Context, l *engine.LinearFit) (*engine.Solution, error) {
		if l.Expert {
			return nil, nil
		}
		return solve(ctx, l)
	}
	repair, err := m.Fit(t.Context(), fit)
	if err != nil {
		t.Fatal(err)
	}
	trials, err := judge(t.Context(), m, []engine.Drop{nil, drop}, []*engine.Repair{nil, repair}, []RepairMethod{RepairRefit}, o)
	if err != nil {
		t.Fatal(err)
	}
	return trials[0].KL
}

// The demo with four experts in the place of each MLP comes nearer to itself, on text that it was not fitted on, with its experts solved.
func TestRepairOfExpertsOfTheDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("minutes of work")
	}
	m, text := DemoAndText(t, 8192, 0)
	upcycled(t, m, 4, 2)
	fit, held := text.Split()
	drop, o := engine.Layers(2, 3, 4, 5), RepairOptions{Method: RepairRefit, Fit: fit.Sequences, Held: held.Sequences}
	r, err := Repair(t.Context(), m, drop, o)
	if err != nil {
		t.Fatal(err)
	}
	without, with := withoutExperts(t, m, drop, o), r.Trials[1]
	t.Logf("KL %.4f plain, %.4f with experts as they are, %.4f with %+v", r.Trials[0].KL, without, with.KL, *with.Experts)
	if !(with.KL < 0.8*without) {
		t.Errorf("KL %.4f, with experts as they are %.4f", with.KL, without)
	}
}

// However a mixture is stored, one matrix an expert or all in one tensor, rows or columns first, with biases, with a shared expert, in a folder or a
// GGUF file: its experts are solved, and on the text of the fit the model comes nearer to the dense one than with its experts as they are. What is
// written is opened again and computes what was judged.
func TestRepairOfMixtures(t *testing.T) {
	for _, name := range []string{"architectures/granite-moe", "architectures/llama4", "architectures/gpt-oss", "architectures/deepseek-v2", "architectures/qwen3-next",
		"gguf/mixtral-f32.gguf", "gguf/gpt-oss-f32.gguf", "gguf/deepseek-v2-f32.gguf"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			m, text := tiny(t, "../engine/testdata/"+name, 32)
			last := m.Layers() - 1
			for _, mixed := m.Spec.Blocks[last].MLP.(*arch.ExpertsSpec); !mixed; _, mixed = m.Spec.Blocks[last].MLP.(*arch.ExpertsSpec) {
				last--
			}
			drop := engine.Layers(last - 1)
			o := RepairOptions{Method: RepairRefit, Fit: text, Held: text}
			all, err := Repair(t.Context(), m, drop, o)
			if err != nil {
				t.Fatal(err)
			}
			without := withoutExperts(t, m, drop, o)
			kept := all.Trials[len(all.Trials)-1]
			if kept.Experts == nil {
				t.Fatalf("no experts were counted: %+v", all.Trials)
			}
			t.Logf("KL %.3g plain, %.3g with experts as they are, %.3g; %+v", all.Trials[0].KL, without, kept.KL, *kept.Experts)
			if kept.Experts.Solved == 0 || !(kept.KL < without) {
				t.Errorf("%d experts solved; KL %g, with experts as they are %g", kept.Experts.Solved, kept.KL, without)
			}
			out := filepath.Join(t.TempDir(), "written"+filepath.Ext(name))
			if err := Write(t.Context(), m, drop, out, Options{Repair: all.Repair}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// An expert that few rows are sent to stays as it is, and is counted.
func TestExpertsWithFewRowsStay(t *testing.T) {
	m, text := tiny(t, "../engine/testdata/architectures/mixtral", 2)
	for i := range text {
		text[i].IDs = text[i].IDs[:20] // one of two sequences is kept apart: of two experts a token, one of four has ten rows of it at most
	}
	r, err := Repair(t.Context(), m, engine.Layers(1), RepairOptions{Method: RepairRefit, Fit: text, Held: text})
	if err != nil {
		t.Fatal(err)
	}
	if e := r.Trials[1].Experts; e == nil || e.Left == 0 || e.Solved+e.Left != 8 {
		t.Errorf("%+v: want the four experts of two layers, some of them left", e)
	}
}
