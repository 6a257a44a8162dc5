package bench_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/engine/arch"
)

// Whatever the draft, what comes out is the dense model's own text: for every architecture that keeps a cache, with the model's own layers as
// draft, good and bad ones, with another model, and where the context ends.
func TestSpeculatedTextIsTheDenseModels(t *testing.T) {
	folders, err := filepath.Glob("../engine/testdata/architectures/*")
	if err != nil || len(folders) < 40 {
		t.Fatalf("%d architectures, %v", len(folders), err)
	}
	for _, folder := range folders {
		name := filepath.Base(folder)
		if strings.Contains(name, "classifier") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := opened(t, folder)
			random := rand.New(rand.NewPCG(3, 4))
			prompt := make([]int32, 5)
			for i := range prompt {
				prompt[i] = int32(random.IntN(min(m.Spec.Vocab, 90)))
			}
			tokens := 14
			if slices.ContainsFunc(m.Spec.Blocks, func(b arch.BlockSpec) bool {
				a, is := b.Mixer.(*arch.AttentionSpec)
				return is && a.Window+a.Chunk > 0
			}) {
				tokens = 59 // several times around the rings that keep a window
			}
			if m.Spec.Context > 0 {
				tokens = min(tokens, m.Spec.Context-len(prompt))
			}
			want, err := m.Generate(t.Context(), []engine.Request{{IDs: prompt, Tokens: tokens}}, engine.Generating{})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range []bench.Draft{{}, {Drop: engine.Layers(m.Layers() - 1), Tokens: 3}, {Drop: engine.Layers(0), Tokens: 7},
				{Model: opened(t, folder), Tokens: 2}, {Drop: engine.Layers(1), Tokens: 20}, {Drop: engine.Units(engine.Unit{Layer: 1, Part: engine.MLP}), Tokens: 1}} {
				got, err := bench.Speculate(t.Context(), m, d, engine.Request{IDs: prompt, Tokens: tokens}, 0)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got.IDs, want[0]) {
					t.Errorf("draft without %s, %d at a time: %v, want %v", d.Drop, d.Tokens, got.IDs, want[0])
				}
				if len(d.Drop) == 0 && got.Accepted < got.Proposed {
					t.Errorf("%d of %d tokens of the model itself were accepted", got.Accepted, got.Proposed)
				}
				if got.Steps+got.Accepted+1 < len(got.IDs) {
					t.Errorf("%d steps and %d accepted tokens made %d", got.Steps, got.Accepted, len(got.IDs))
				}
			}
		})
	}
}

func opened(t *testing.T, ref string) *engine.Model {
	t.Helper()
	m, err := engine.Open(t.Context(), ref, engine.Options{Device: "cpu"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// A text that ends before all was wanted ends at the same token, and every token is shown once.
func TestSpeculatedTextEnds(t *testing.T) {
	m := opened(t, "demo")
	prompt := []int32{0, 40, 41, 42}
	want, err := m.Generate(t.Context(), []engine.Request{{IDs: prompt, Tokens: 30}}, engine.Generating{})
	if err != nil {
		t.Fatal(err)
	}
	for at := range 12 {
		var shown []int32
		r := engine.Request{IDs: prompt, Tokens: 30, Stop: func(made []int32) bool { return len(made) > at },
			Token: func(id int32) { shown = append(shown, id) }}
		got, err := bench.Speculate(t.Context(), m, bench.Draft{Drop: engine.Layers(3), Tokens: 4}, r, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.IDs, want[0][:at+1]) || !slices.Equal(shown, got.IDs) {
			t.Errorf("ended behind %d: %v, shown %v, want %v", at, got.IDs, shown, want[0][:at+1])
		}
	}
	long := make([]int32, m.Spec.Context)
	_, err = bench.Speculate(t.Context(), m, bench.Draft{}, engine.Request{IDs: long, Tokens: 1}, 0)
	if err == nil || !strings.Contains(err.Error(), "leave none for an answer") {
		t.Errorf("a prompt that fills the context: %v", err)
	}
	other := opened(t, "../engine/testdata/architectures/llama")
	_, err = bench.Speculate(t.Context(), m, bench.Draft{Model: other}, engine.Request{IDs: prompt, Tokens: 1}, 0)
	if err == nil || !strings.Contains(err.Error(), "vocabulary") {
		t.Errorf("a draft with another vocabulary: %v", err)
	}
}

// Cost ratios 0.75, 0.5 and 0.4 at an acceptance of 0.9 gain at most 1.09, 1.38 and 1.58.
func TestGain(t *testing.T) {
	for cost, want := range map[float64]float64{0.75: 1.09, 0.5: 1.38, 0.4: 1.58} {
		best := 0.0
		for k := 1; k <= 16; k++ {
			best = max(best, bench.Gain(0.9, cost, 1, k))
		}
		if math.Abs(best-want) > 0.005 {
			t.Errorf("cost %v: %v, want %v", cost, best, want)
		}
	}
	if got := bench.Gain(1, 0.25, 1, 4); got != 2.5 {
		t.Errorf("all accepted: %v, want 5 tokens in twice the time of one", got)
	}
	if got := bench.Gain(0, 0.5, 1, 2); got != 0.5 {
		t.Errorf("none accepted: %v, want half", got)
	}
}

// Acceptance is counted on the dense model's own text: a set that changes nothing has all of it, one that takes the whole front has little.
func TestFindDraft(t *testing.T) {
	m := opened(t, "demo")
	found, err := bench.FindDraft(t.Context(), m, bench.Drafting{Tokens: 24, Prompts: [][]int32{{0, 40, 41, 42}, {0, 50, 51, 52, 53}},
		Candidates: []bench.DraftCandidate{{Drop: engine.Layers(0, 1, 2, 3), ChosenBy: "front"}, {Drop: engine.Layers(12, 13, 14, 15), ChosenBy: "back"}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].ChosenBy != "back" || found[0].Acceptance <= found[1].Acceptance || found[0].Gain < found[1].Gain {
		t.Errorf("%+v", found)
	}
	for _, c := range found {
		if c.Share != 0.25 || c.Acceptance < 0 || c.Acceptance > 1 || c.Cost <= 0 || c.Gain <= 0 || c.Proposed < 1 {
			t.Errorf("%+v", c)
		}
	}
	if _, err := bench.FindDraft(t.Context(), m, bench.Drafting{}); err == nil {
		t.Error("nothing to choose from, and a draft was found")
	}
}

// Where tokens are drawn, four tokens with a draft come as often as the dense model's own distribution says: χ² over the texts of at most 3⁴
// most likely continuations, with fixed seeds, for a draft that is often right, one of which nothing is accepted, and another model.
func TestSpeculatedDrawsAreDistributedAsTheDenseModels(t *testing.T) {
	const texts = 1500
	m := opened(t, "../engine/testdata/architectures/llama")
	prompt := []int32{5, 40, 41, 42}
	how := engine.Sampling{Temperature: 1.3, TopK: 3}
	distribution := func(ids []int32) []float64 {
		d, err := m.NewDecoder(engine.DecoderOptions{Length: 16})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		logits, err := d.Start(t.Context(), []engine.Prompt{{IDs: ids}})
		if err != nil {
			t.Fatal(err)
		}
		return engine.NewSampler(how, 0).Distribution(logits[0][0])
	}
	want := map[[4]int32]float64{}
	for a, p := range distribution(prompt) {
		for b, q := range distributionWhere(p > 0, distribution, prompt, int32(a)) {
			for c, r := range distributionWhere(p*q > 0, distribution, prompt, int32(a), int32(b)) {
				for d, s := range distributionWhere(p*q*r > 0, distribution, prompt, int32(a), int32(b), int32(c)) {
					if p*q*r*s > 0 {
						want[[4]int32{int32(a), int32(b), int32(c), int32(d)}] = p * q * r * s
					}
				}
			}
		}
	}
	for name, draft := range map[string]bench.Draft{"without the last": {Drop: engine.Layers(2), Tokens: 2}, "without the middle": {Drop: engine.Layers(1)},
		"another model": {Model: opened(t, "../engine/testdata/architectures/llama"), Drop: engine.Layers(2), Tokens: 1}} {
		got := map[[4]int32]int{}
		proposed, accepted := 0, 0
		for seed := range uint64(texts) {
			draft.Sampling = how
			draft.Sampling.Seed = seed
			said, err := bench.Speculate(t.Context(), m, draft, engine.Request{IDs: prompt, Tokens: 4}, 0)
			if err != nil {
				t.Fatal(err)
			}
			got[[4]int32(said.IDs)]++
			proposed, accepted = proposed+said.Proposed, accepted+said.Accepted
		}
		square, seen := 0.0, 0
		for text, p := range want {
			off := float64(got[text]) - texts*p
			square += off * off / (texts * p)
			seen += got[text]
		}
		freedom := float64(len(want) - 1)
		// Five standard deviations of χ².
		if seen != texts || square > freedom+5*math.Sqrt(2*freedom) || accepted == proposed || draft.Drop[0].Layer == 2 && accepted == 0 {
			t.Errorf("%s: χ² %.1f of %d texts, %d of %d have no probability, %d of %d accepted", name, square, len(want), texts-seen, texts, accepted,
				proposed)
		}
		t.Logf("%s: χ² %.1f of %d texts, %d of %d proposed tokens accepted", name, square, len(want), accepted, proposed)
	}
}

// distributionWhere is the distribution behind a prompt and more; nil where it is not wanted.
func distributionWhere(wanted bool, of func([]int32) []float64, prompt []int32, more ...int32) []float64 {
	if !wanted {
		return nil
	}
	return of(slices.Concat(prompt, more))
}
