package bench_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"avssnative/bench"
	"avssnative/engine"
	"avssnative/tokenizer"
)

// Contexts of a passkey come within a piece of filler of the tokens asked for and hold the number, at its depth; dense and pruned are judged
// in one pass. Positions beyond the model's are an error that names what fits.
func TestLongContext(t *testing.T) {
	m := opened(t, "demo")
	words, err := tokenizer.Open(m.Folder)
	if err != nil {
		t.Fatal(err)
	}
	half, whole := m.Spec.Context/2, m.Spec.Context
	names := []string{fmt.Sprintf("passkey-%d", half), fmt.Sprintf("passkey-%d", whole),
		fmt.Sprintf("position-%d=../internal/smallworld/stories.txt", half)}
	load := func(names ...string) []bench.Set {
		t.Helper()
		sets, err := bench.Load(t.Context(), names, bench.Source{}, bench.Limit{Items: 4})
		if err != nil {
			t.Fatal(err)
		}
		return sets
	}
	sets := load(names...)
	suite, err := bench.Prepare(sets, words, bench.Options{MaxLength: whole})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range suite.Sequences[:8] {
		want := []int{half, whole}[i/4]
		tokens := len(s.IDs) + len(s.Branches[0])
		text, err := words.Decode(s.IDs, true)
		if err != nil {
			t.Fatal(err)
		}
		key, err := words.Decode(s.Branches[0], true)
		if err != nil {
			t.Fatal(err)
		}
		depth := (float64(i%4*7%20) + 0.5) / 20
		at := strings.Index(text, "The pass key is"+key+".")
		if tokens > want || tokens < want-120 || math.Abs(float64(at)/float64(len(text))-depth) > 0.3 || strings.Count(text, strings.TrimSpace(key)) != 2 {
			t.Errorf("item %d: %d tokens, want %d; key %q at %d, want depth %v, of %q", i, tokens, want, key, at, depth, text)
		}
	}
	for _, s := range suite.Sequences[8:] {
		if len(s.IDs) != half/2 || len(s.Branches[0]) != half-half/2 {
			t.Errorf("%d tokens unscored before %d, want half of %d", len(s.IDs), len(s.Branches[0]), half)
		}
	}
	outcome, err := m.Run(t.Context(), engine.Pass{Sequences: suite.Sequences, Variants: []engine.Drop{nil, engine.Layers(3, 4)}})
	if err != nil {
		t.Fatal(err)
	}
	for v := range 2 {
		results, err := suite.Score(outcome.Scores[v])
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.N == 0 || r.Main().Value < 0 || r.Convention != "" && r.Convention != fmt.Sprintf("position-%d", half) {
				t.Errorf("%s: %+v", r.Task, r.Main())
			}
		}
	}
	for _, name := range []string{"passkey", "position"} {
		file := map[string]string{"position": "=../internal/smallworld/stories.txt"}[name]
		_, err := bench.Prepare(load(fmt.Sprintf("%s-%d%s", name, 2*whole, file)), words, bench.Options{MaxLength: whole})
		if want := fmt.Sprintf("%s-%d fits", name, whole); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	_, err = bench.Prepare(load("passkey-16"), words, bench.Options{MaxLength: whole})
	if err == nil || !strings.Contains(err.Error(), "the question alone") {
		t.Errorf("%v", err)
	}
}
